'use strict';
'require view';
'require poll';
'require rpc';
'require ui';
'require dom';

// What the broker is doing, and who is connected. Asked again every five seconds.

const callStatus = rpc.declare({ object: 'luci.minnow', method: 'status' });
const callClients = rpc.declare({ object: 'luci.minnow', method: 'clients' });
const callCheck = rpc.declare({ object: 'luci.minnow', method: 'check' });
const callKick = rpc.declare({ object: 'luci.minnow', method: 'kick', params: ['id'] });
const callReload = rpc.declare({ object: 'luci.minnow', method: 'reload' });

const POLL_SECONDS = 5;
const versions = { 3: '3.1', 4: '3.1.1', 5: '5.0' };

function duration(ms) {
	return ms == null ? '-' : '%t'.format(Math.floor(ms / 1000));
}

/** The rpcd part gives what went wrong as a result. */
function checked(result) {
	if (result.error)
		throw new Error(result.error);
	return result;
}

function tableOf(titles, rows, placeholder) {
	const head = E('tr', { 'class': 'tr table-titles' }, titles.map(title => E('th', { 'class': 'th' }, title)));
	const table = E('table', { 'class': 'table' }, [head]);
	cbi_update_table(table, rows, E('em', {}, placeholder));
	return table;
}

return view.extend({
	load() {
		return Promise.all([callStatus(), callClients().catch(() => ({})), callCheck()]);
	},

	faults(check) {
		const lines = (check.faults || []).concat(check.warnings || []);
		if (lines.length === 0)
			return E('div');
		const kind = (check.faults || []).length > 0 ? 'error' : 'warning';
		return E('div', { 'class': `alert-message ${kind}` }, lines.map(line => E('div', {}, line)));
	},

	figures(status) {
		if (!status.running)
			return E('p', {}, status.why || _('The broker is not running.'));
		const rows = Object.entries(status.stats).map(([name, value]) => [name, String(value)]);
		return tableOf([_('Figure'), _('Value')], rows, _('There are none.'));
	},

	kick(id) {
		return callKick(id).then(checked).then(() => this.refresh())
			.catch(error => ui.addNotification(null, E('p', error.message), 'error'));
	},

	clients(clients) {
		const rows = clients.map(client => [
			client.clientId,
			client.username == null ? '-' : client.username,
			client.connected ? client.peer : '-',
			versions[client.version] || '-',
			duration(client.connectedForMs),
			client.subscriptions,
			client.queued + client.inflight,
			client.connected
				? E('button', {
					'class': 'btn cbi-button-negative',
					'click': ui.createHandlerFn(this, 'kick', client.clientId)
				}, _('Disconnect'))
				: ''
		]);
		const titles = [
			_('Client'), _('User'), _('Address'), _('MQTT'), _('Connected'), _('Subscriptions'),
			_('Waiting'), ''
		];
		return tableOf(titles, rows, _('Nobody is connected, and no session waits.'));
	},

	async refresh() {
		const [status, clients] = await Promise.all([callStatus(), callClients().catch(() => ({}))]);
		dom.content(this.figuresAt, this.figures(status));
		dom.content(this.clientsAt, this.clients(clients.clients || []));
	},

	reload() {
		return callReload().then(checked).then(({ applied, restart }) => {
			const taken = applied.length > 0 ? applied.join(', ') : _('nothing has changed');
			const lines = [E('p', _('Taken over: %s').format(taken))];
			if (restart.length > 0)
				lines.push(E('p', _('These wait for a restart: %s').format(restart.join(', '))));
			ui.addNotification(null, E('div', lines), 'info');
		}).catch(error => ui.addNotification(null, E('p', error.message), 'error'));
	},

	render([status, clients, check]) {
		this.figuresAt = E('div', {}, this.figures(status));
		this.clientsAt = E('div', {}, this.clients(clients.clients || []));
		poll.add(() => this.refresh(), POLL_SECONDS);
		return E('div', {}, [
			E('h2', _('MQTT broker')),
			this.faults(check),
			E('button', {
				'class': 'btn cbi-button-action',
				'click': ui.createHandlerFn(this, 'reload')
			}, _('Read the configuration again')),
			E('h3', _('Clients')),
			this.clientsAt,
			E('h3', _('Figures')),
			this.figuresAt
		]);
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
