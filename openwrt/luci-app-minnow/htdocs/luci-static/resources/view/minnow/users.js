'use strict';
'require view';
'require rpc';
'require ui';

// The users of the password file. Passwords go to the broker's own program, which keeps hashes.

const callUsers = rpc.declare({ object: 'luci.minnow', method: 'users' });
const callSet = rpc.declare({
	object: 'luci.minnow', method: 'set_user', params: ['name', 'password', 'token']
});
const callDelete = rpc.declare({ object: 'luci.minnow', method: 'delete_user', params: ['name'] });

function checked(result) {
	if (result.error)
		throw new Error(result.error);
	return result;
}

function complain(error) {
	ui.addNotification(null, E('p', error.message), 'error');
}

return view.extend({
	load() {
		return callUsers();
	},

	again() {
		window.location.reload();
	},

	remove(name) {
		return callDelete(name).then(checked).then(() => this.again()).catch(complain);
	},

	showToken(name, token) {
		ui.showModal(_('The token of %h').format(name), [
			E('p', _('Only a digest of it is kept: it is shown this once.')),
			E('pre', {}, token),
			E('div', { 'class': 'right' }, E('button', {
				'class': 'btn', 'click': ui.createHandlerFn(this, 'again')
			}, _('Close')))
		]);
	},

	set(withToken) {
		const name = this.nameAt.value;
		const password = withToken ? '' : this.passwordAt.value;
		return callSet(name, password, withToken).then(checked).then(({ token }) => {
			if (token)
				this.showToken(name, token);
			else
				this.again();
		}).catch(complain);
	},

	render(result) {
		if (result.error)
			return E('div', {}, [E('h2', _('Users')), E('p', {}, result.error)]);
		const rows = result.users.map(name => [name, E('button', {
			'class': 'btn cbi-button-negative',
			'click': ui.createHandlerFn(this, 'remove', name)
		}, _('Delete'))]);
		const table = E('table', { 'class': 'table' }, E('tr', { 'class': 'tr table-titles' }, [
			E('th', { 'class': 'th' }, _('User')), E('th', { 'class': 'th' })
		]));
		cbi_update_table(table, rows, E('em', {}, _('There are none.')));
		this.nameAt = E('input', { 'class': 'cbi-input-text', 'placeholder': _('Name') });
		this.passwordAt = E('input', {
			'class': 'cbi-input-password', 'type': 'password', 'autocomplete': 'new-password',
			'placeholder': _('Password')
		});
		return E('div', {}, [
			E('h2', _('Users')),
			E('p', {}, _('They stand in %h. The broker takes changes over when it reads its configuration again.').format(result.file)),
			table,
			E('h3', _('Add a user, or give one another password')),
			E('div', { 'class': 'cbi-section' }, [
				this.nameAt, ' ', this.passwordAt, ' ',
				E('button', {
					'class': 'btn cbi-button-positive',
					'click': ui.createHandlerFn(this, 'set', false)
				}, _('Set password')), ' ',
				E('button', {
					'class': 'btn cbi-button-action',
					'click': ui.createHandlerFn(this, 'set', true)
				}, _('Make a token'))
			])
		]);
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
