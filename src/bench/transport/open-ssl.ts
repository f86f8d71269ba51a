// The system's OpenSSL, 3 or 1.1, as the load engine sees it: a table of functions, called with
// numbers. The runtimes' own TLS lives on event loops, which a generator has no time for.

import { bindLibrary } from '../../io/sync/open-libc.ts';

const functions = {
  TLS_client_method: [],
  SSL_CTX_new: ['address'],
  SSL_CTX_free: ['address'],
  SSL_CTX_ctrl: ['address', 'int', 'size', 'address'],
  SSL_CTX_set_verify: ['address', 'int', 'address'],
  SSL_CTX_set_default_verify_paths: ['address'],
  SSL_CTX_load_verify_locations: ['address', 'address', 'address'],
  SSL_CTX_use_certificate_chain_file: ['address', 'address'],
  SSL_CTX_use_PrivateKey_file: ['address', 'address', 'int'],
  SSL_new: ['address'],
  SSL_free: ['address'],
  SSL_ctrl: ['address', 'int', 'size', 'address'],
  SSL_set1_host: ['address', 'address'],
  SSL_get0_param: ['address'],
  X509_VERIFY_PARAM_set1_ip_asc: ['address', 'address'],
  SSL_set_bio: ['address', 'address', 'address'],
  SSL_set_connect_state: ['address'],
  SSL_set_shutdown: ['address', 'int'],
  SSL_do_handshake: ['address'],
  SSL_read: ['address', 'address', 'int'],
  SSL_write: ['address', 'address', 'int'],
  SSL_get_error: ['address', 'int'],
  SSL_get_verify_result: ['address'],
  SSL_get1_session: ['address'],
  SSL_set_session: ['address', 'address'],
  SSL_SESSION_free: ['address'],
  SSL_session_reused: ['address'],
  BIO_new_bio_pair: ['address', 'size', 'address', 'size'],
  BIO_free: ['address'],
  BIO_read: ['address', 'address', 'int'],
  BIO_write: ['address', 'address', 'int'],
  ERR_get_error: [],
  ERR_error_string_n: ['size', 'address', 'size'],
} as const;

const returningAddresses: readonly (keyof typeof functions)[] = [
  ...(['TLS_client_method', 'SSL_CTX_new', 'SSL_new', 'SSL_get0_param'] as const),
  'SSL_get1_session',
];

export type OpenSsl = Awaited<ReturnType<typeof openSsl>>;

/** Rejects where there is none. */
export async function openSsl() {
  const names = ['libssl.so.3', 'libssl.so.1.1'];
  return bindLibrary(names, functions, returningAddresses).catch(() => {
    throw new Error(`TLS needs OpenSSL, and neither ${names.join(' nor ')} is on this machine`);
  });
}
