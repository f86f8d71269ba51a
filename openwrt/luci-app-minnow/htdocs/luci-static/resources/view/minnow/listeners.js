'use strict';
'require view';
'require form';

// Where clients come in. The options are those of config listener in /etc/config/minnow.

return view.extend({
	render() {
		const map = new form.Map('minnow', _('Listeners'),
			_('Where clients come in. A listener that others than this router can reach needs users, or a word that anybody may come in.'));
		const s = map.section(form.GridSection, 'listener');
		s.addremove = true;
		s.sortable = true;
		s.nodescriptions = true;
		s.tab('place', _('Place'));
		s.tab('tls', _('TLS'));
		s.tab('access', _('Access'));

		let o = s.taboption('place', form.Value, 'port', _('Port'));
		o.datatype = 'port';
		o.default = '1883';
		o.rmempty = false;

		o = s.taboption('place', form.Value, 'host', _('Address'),
			_('An address of this router; nothing for every interface.'));
		o.datatype = 'or(ipaddr, hostname, "*")';
		o.placeholder = '*';

		o = s.taboption('place', form.ListValue, 'protocol', _('Protocol'));
		o.value('mqtt', _('MQTT'));
		o.value('websocket', _('MQTT over WebSocket'));
		o.default = 'mqtt';

		o = s.taboption('place', form.Value, 'connections_max', _('Connections at most'));
		o.datatype = 'uinteger';
		o.placeholder = _('unlimited');
		o.modalonly = true;

		o = s.taboption('tls', form.FileUpload, 'tls_certificate', _('Certificate'),
			_('PEM: the certificate, then those that lead to the root.'));
		o.root_directory = '/etc/minnow';
		o.modalonly = true;

		o = s.taboption('tls', form.FileUpload, 'tls_key', _('Private key'));
		o.root_directory = '/etc/minnow';
		o.modalonly = true;

		o = s.taboption('tls', form.ListValue, 'tls_client_certificate', _('Client certificates'));
		o.value('', _('not asked for'));
		o.value('optional', _('optional'));
		o.value('required', _('required'));
		o.modalonly = true;

		o = s.taboption('tls', form.FileUpload, 'tls_ca', _('Authorities of client certificates'));
		o.root_directory = '/etc/minnow';
		o.depends('tls_client_certificate', 'optional');
		o.depends('tls_client_certificate', 'required');
		o.modalonly = true;

		o = s.taboption('access', form.ListValue, 'anonymous', _('Clients without a name'));
		o.value('', _('as for the whole broker'));
		o.value('1', _('come in'));
		o.value('0', _('are refused'));

		o = s.taboption('access', form.ListValue, 'identity', _('User name from'));
		o.value('', _('what the client says'));
		o.value('cn', _('common name of the certificate'));
		o.value('dns', _('DNS name of the certificate'));
		o.value('email', _('e-mail address of the certificate'));
		o.value('uri', _('URI of the certificate'));
		o.modalonly = true;

		o = s.taboption('access', form.Value, 'mount_point', _('Put in front of all topics'));
		o.modalonly = true;
		return map.render();
	}
});
