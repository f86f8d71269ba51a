// The options of a mosquitto.conf (2.0 and 2.1), by what they are about. What is a setting of
// minnow too is translated in settings.ts, listener.ts, tls.ts and access.ts; for the rest it says
// here why it is not.

import type { Line } from './lines.ts';

/** Options of the listener above them. */
export const listenerOptions: ReadonlySet<string> = new Set([
  'bind_interface',
  'cafile',
  'capath',
  'certfile',
  'ciphers',
  'ciphers_tls1.3',
  'crlfile',
  'enable_proxy_protocol',
  'keyfile',
  'listener_allow_anonymous',
  'max_connections',
  'max_qos',
  'max_topic_alias',
  'max_topic_alias_broker',
  'mount_point',
  'protocol',
  'psk_hint',
  'require_certificate',
  'socket_domain',
  'tls_keyform',
  'tls_version',
  'use_identity_as_username',
  'use_subject_as_username',
  'websockets_origin',
]);

/** Options of the whole broker, or of a listener where per_listener_settings is true. */
export const accessOptions: ReadonlySet<string> = new Set([
  'acl_file',
  'allow_anonymous',
  'allow_zero_length_clientid',
  'password_file',
]);

/** Other names of the same options. */
export const aliases: Readonly<Record<string, string>> = {
  maximum_qos: 'max_qos',
  retained_persistence: 'persistence',
};

/** Options of the bridge above them, which `connection` begins. */
export const bridgeOptions: ReadonlySet<string> = new Set([
  ...['address', 'addresses', 'cleansession', 'clientid', 'idle_timeout', 'keepalive_interval'],
  ...['local_cleansession', 'local_clientid', 'local_password', 'local_username'],
  ...['notification_topic', 'notifications', 'notifications_local_only', 'password'],
  ...['remote_clientid', 'remote_password', 'remote_username', 'restart_timeout', 'round_robin'],
  ...['start_type', 'threshold', 'topic', 'try_private', 'username', 'bridge_alpn'],
  ...['bridge_attempt_unsubscribe', 'bridge_bind_address', 'bridge_cafile', 'bridge_capath'],
  ...['bridge_certfile', 'bridge_ciphers', 'bridge_ciphers_tls1.3', 'bridge_identity'],
  ...['bridge_insecure', 'bridge_keyfile', 'bridge_max_packet_size', 'bridge_max_topic_alias'],
  ...['bridge_outgoing_retain', 'bridge_protocol_version', 'bridge_psk'],
  ...['bridge_receive_maximum', 'bridge_reload_type', 'bridge_require_ocsp'],
  ...['bridge_session_expiry_interval', 'bridge_tcp_keepalive', 'bridge_tcp_user_timeout'],
  ...['bridge_tls_use_os_certs', 'bridge_tls_version'],
]);

/** Options that load or belong to a plugin, besides plugin_opt_* and auth_opt_*. */
export const pluginOptions: ReadonlySet<string> = new Set([
  ...['auth_plugin', 'plugin', 'global_plugin', 'plugin_load', 'plugin_use'],
  'auth_plugin_deny_special_chars',
]);

const log = 'no equivalent: minnow logs to standard output, and whoever starts it keeps that';
const gone = 'no equivalent: mosquitto itself has no use for it any more';

/** Options of the whole broker without an equivalent: in which table they are noted, and why. */
export const foreignOptions: Readonly<Record<string, readonly [table: string, why: string]>> = {
  log_facility: ['log', log],
  log_timestamp: ['log', 'no equivalent: lines of text begin with the time, lines of JSON hold it'],
  log_timestamp_format: ['log', 'no equivalent: the time is written in the form of ISO 8601'],
  websockets_log_level: ['log', 'no equivalent: log.level is for everything'],
  max_inflight_bytes: [
    'limits',
    'no equivalent: what is in flight is bounded by limits.inflightMax, in messages',
  ],
  packet_buffer_size: ['limits', 'no equivalent: buffers grow with what is in them'],
  websockets_headers_size: ['limits', 'no equivalent: the bound is fixed'],
  upgrade_outgoing_qos: [
    'mqtt',
    'no equivalent: messages are never sent with a higher QoS than they were published with',
  ],
  allow_duplicate_messages: ['mqtt', 'no equivalent: mosquitto is about to remove it'],
  retain_expiry_interval: [
    'mqtt',
    'no equivalent, and none is needed: retained messages go at the moment they expire',
  ],
  retry_interval: ['mqtt', gone],
  store_clean_interval: ['mqtt', gone],
  autosave_on_changes: [
    'store',
    'no equivalent: a batch is written when it is old or large (batchMs, batchBytes)',
  ],
  persistence_file: ['store', 'no equivalent: the database is minnow.db in the data directory'],
  auto_id_prefix: ['auth', 'no equivalent: ids that minnow assigns have a form of their own'],
  check_retain_source: [
    'auth',
    'no equivalent: who may publish is asked when a message comes, not when it is sent on',
  ],
  clientid_prefixes: [
    'auth',
    'no equivalent: clients with other ids ARE LET IN; rules with client = "PREFIX*" restrict ' +
      'what they may do',
  ],
  psk_file: ['auth', 'no equivalent: minnow speaks no TLS with pre-shared keys'],
  enable_control_api: ['', 'no equivalent: "minnow ctl" asks and steers a running broker'],
  pid_file: ['', 'no equivalent: minnow stays in the foreground, and its supervisor knows its id'],
  user: ['', 'no equivalent: start minnow as that user (User= of systemd, user of procd)'],
};

/** Options of a listener without an equivalent, and why. */
export const foreignListenerOptions: Readonly<Record<string, string>> = {
  accept_protocol_versions: 'no equivalent: MQTT 3.1, 3.1.1 and 5.0 are all spoken',
  dhparamfile: 'no equivalent, and none is needed: the TLS library has groups of its own',
  disable_client_cert_date_checks: 'no equivalent: certificates that have ended are refused',
  listener_auto_id_prefix: 'no equivalent: ids that minnow assigns have a form of their own',
  http_dir: 'no equivalent: minnow serves no files',
  proxy_protocol_v2_require_tls:
    'no equivalent: clients without TLS COME IN, unless the proxy refuses them',
  tls_engine: 'no equivalent: keys come from files',
  tls_engine_kpass_sha1: 'no equivalent: keys come from files',
  use_username_as_clientid:
    'no equivalent: clients keep the ids they bring; a rule with %c and %u can tie them together',
};

/** Of these, the ones that are off in minnow, so that it is no matter when they are false. */
const offAnyway: ReadonlySet<string> = new Set([
  ...['upgrade_outgoing_qos', 'autosave_on_changes', 'enable_control_api'],
  ...['disable_client_cert_date_checks', 'proxy_protocol_v2_require_tls'],
  'use_username_as_clientid',
]);

export const BY_ITSELF = 'is so by itself';

/** What to say about a line without an equivalent. */
export function whyForeign({ name, value }: Line, why: string): string {
  return value === 'false' && offAnyway.has(name) ? BY_ITSELF : why;
}

/** All names, for "did you mean". */
export const knownNames: readonly string[] = [
  ...listenerOptions,
  ...accessOptions,
  ...Object.keys(aliases),
  ...bridgeOptions,
  ...pluginOptions,
  ...Object.keys(foreignOptions),
  ...Object.keys(foreignListenerOptions),
  ...['listener', 'port', 'bind_address', 'connection', 'include_dir', 'per_listener_settings'],
];
