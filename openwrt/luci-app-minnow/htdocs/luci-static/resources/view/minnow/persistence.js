'use strict';
'require view';
'require form';

// What survives: config minnow and config store of /etc/config/minnow.

return view.extend({
	render() {
		const map = new form.Map('minnow', _('Persistence'),
			_('Sessions, queued and retained messages are kept in a directory. On tmpfs they survive a crash of the broker; on flash or a USB drive they survive the end of the power, too, and wear it.'));

		const general = map.section(form.NamedSection, 'minnow', 'minnow');
		let o = general.option(form.Value, 'data', _('Directory'));
		o.default = '/tmp/minnow';
		o.datatype = 'directory';
		o.rmempty = false;

		const s = map.section(form.NamedSection, 'store', 'store');
		o = s.option(form.ListValue, 'kind', _('Keep'));
		o.value('', _('in a database (default)'));
		o.value('memory', _('in memory only'));

		o = s.option(form.ListValue, 'durability', _('What an acknowledgement promises'));
		o.value('', _('as fits this router (default)'));
		o.value('strict', _('it is on the disk'));
		o.value('written', _('the system has it'));
		o.value('batched', _('it is written within a batch'));
		o.value('none', _('nothing'));
		o.depends({ kind: 'memory', '!reverse': true });

		o = s.option(form.Value, 'batch_ms', _('Longest time of a batch'), _('For example 1s, 30s or 5m.'));
		o.placeholder = '1s';
		o.depends('durability', 'batched');

		o = s.option(form.Value, 'flash_bytes_per_day', _('Bytes written per day at most'),
			_('For example 256MB. Past it batches are written as late as they may be; 0 is no bound.'));
		o.placeholder = '0';

		o = s.option(form.Value, 'quota_bytes', _('Size of the database at most'));
		o.placeholder = '0';

		const rules = map.section(form.GridSection, 'store_rule', _('By topic'),
			_('The first filter that matches decides.'));
		rules.anonymous = true;
		rules.addremove = true;
		rules.sortable = true;
		o = rules.option(form.Value, 'filter', _('Topic filter'));
		o.rmempty = false;
		o = rules.option(form.ListValue, 'durability', _('Promise'));
		for (const name of ['strict', 'written', 'batched', 'none'])
			o.value(name);
		return map.render();
	}
});
