'use strict';
'require view';
'require form';

// Who may do what: config auth and config rule of /etc/config/minnow. The first rule that fits
// decides; with any rules at all, what none of them allows is denied.

const actions = {
	publish: _('publish'),
	subscribe: _('subscribe'),
	receive: _('receive'),
	retain: _('retain'),
	all: _('everything')
};

function addActions(section, name, title) {
	const o = section.option(form.MultiValue, name, title);
	for (const [action, label] of Object.entries(actions))
		o.value(action, label);
	o.display_size = 5;
	return o;
}

return view.extend({
	render() {
		const map = new form.Map('minnow', _('Access rules'),
			_('The first rule that fits decides. As soon as there is one, what none of them allows is denied.'));

		const auth = map.section(form.NamedSection, 'auth', 'auth', _('Clients'));
		let o = auth.option(form.Flag, 'anonymous', _('Let clients without a name in'));
		o.default = '0';
		o.rmempty = false;
		o = auth.option(form.Value, 'password_file', _('Password file'));
		o.datatype = 'file';
		o = auth.option(form.Value, 'acl_file', _("Rules in mosquitto's format"),
			_('A file; the rules below are asked first.'));
		o.datatype = 'file';
		o = auth.option(form.DynamicList, 'superusers', _('Users who may do everything'));

		const s = map.section(form.GridSection, 'rule', _('Rules'));
		s.anonymous = true;
		s.addremove = true;
		s.sortable = true;
		o = s.option(form.Value, 'user', _('User'), _('A star stands for any characters.'));
		o.placeholder = '*';
		o = s.option(form.Value, 'client', _('Client'));
		o.placeholder = '*';
		o = s.option(form.Value, 'address', _('Address'));
		o.datatype = 'or(ipaddr, cidr)';
		o.modalonly = true;
		o = s.option(form.Value, 'listener', _('Listener'));
		o.modalonly = true;
		addActions(s, 'allow', _('Allow'));
		addActions(s, 'deny', _('Deny'));
		o = s.option(form.DynamicList, 'filter', _('Topic filters'),
			_('%u stands for the user name, %c for the client id.'));
		o.rmempty = false;
		return map.render();
	}
});
