// TLS of a listener, and what a client certificate says about who comes.

import type { TomlTable } from './document.ts';
import type { Group } from './group.ts';
import type { Faults, Line } from './lines.ts';
import { BY_ITSELF } from './options.ts';
import { readChoice, readFlag } from './values.ts';

const tlsOptions = [
  ...['certfile', 'keyfile', 'cafile', 'capath', 'crlfile', 'require_certificate', 'tls_version'],
  ...['ciphers', 'ciphers_tls1.3', 'tls_keyform'],
];

const CLIENTS_ONLY =
  'without require_certificate it is not asked for; certificates between yours and its root ' +
  "belong into the certificate's own file";

const AT_THE_PROXY =
  'no equivalent: clients without a certificate COME IN, unless the proxy refuses them';

/** What OpenSSL offers in TLS 1.3 when nobody says anything. */
const SUITES = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';

/** Gives whether the listener proves user names by itself. */
export function writeTls(options: Group, unix: boolean, table: TomlTable, faults: Faults): boolean {
  const [certificate, key] = [options.last('certfile'), options.last('keyfile')];
  const one = certificate ?? key;
  if (unix || one === null) {
    const why = unix ? 'no equivalent: a unix socket needs no TLS' : 'no TLS without certfile';
    const proxied = options.has('enable_proxy_protocol');
    for (const line of tlsOptions.flatMap(name => options.all(name))) {
      const asked = proxied && line.name === 'require_certificate';
      table.note(line, asked ? AT_THE_PROXY : why);
    }
    return writeIdentity(options, false, table, faults);
  }
  if (certificate === null || key === null) {
    faults.add(one, `expected ${certificate === null ? 'certfile' : 'keyfile'} as well`);
    return false;
  }
  table.set('tls.certificate', certificate.value, [certificate]);
  table.set('tls.key', key.value, [key]);
  for (const line of options.all('tls_keyform')) table.note(line, 'keys are PEM files');
  writeVersion(options, table, faults);
  const required = writeClientCertificate(options, table, faults);
  return writeIdentity(options, required, table, faults);
}

function writeVersion(options: Group, table: TomlTable, faults: Faults): void {
  const line = options.last('tls_version');
  const version = line && readChoice(line, faults, ['tlsv1.3', 'tlsv1.2', 'tlsv1.1', 'tlsv1']);
  if (line !== null && version === 'tlsv1.3') table.set('tls.minVersion', '1.3', [line]);
  else if (line !== null) table.note(line, 'TLS 1.2 and 1.3 are spoken, nothing older');
  const [old, recent] = [options.last('ciphers'), options.last('ciphers_tls1.3')];
  const from = [recent, old].filter(found => found !== null);
  if (from.length === 0) return;
  const list = `${recent?.value ?? SUITES}:${old?.value ?? 'DEFAULT'}`;
  table.set('tls.ciphers', list, from);
}

function writeClientCertificate(options: Group, table: TomlTable, faults: Faults): boolean {
  const require = options.last('require_certificate');
  const [file, directory] = [options.last('cafile'), options.last('capath')];
  const crl = options.last('crlfile');
  const lines = [file, directory, crl].filter(line => line !== null);
  if (require === null || readFlag(require, faults) !== true) {
    if (require !== null) table.note(require, BY_ITSELF);
    for (const line of lines) table.note(line, CLIENTS_ONLY);
    return false;
  }
  table.set('tls.clientCertificate', 'required', [require]);
  if (file !== null) {
    table.set('tls.ca', file.value, [file]);
    if (directory !== null) {
      table.note(directory, 'no equivalent: add its certificates to the file of tls.ca');
    }
  } else if (directory !== null) {
    const path = `${directory.value.replace(/\/+$/, '')}/all.pem`;
    table.set('tls.ca', path, [directory], 'one file, please: cat its *.pem into this one');
  } else {
    faults.add(require, 'expected cafile as well: which authority signs the certificates');
  }
  if (crl !== null) table.set('tls.crl', crl.value, [crl]);
  return true;
}

/** `certified`: every client has a certificate that was verified here. */
function writeIdentity(
  options: Group,
  certified: boolean,
  table: TomlTable,
  faults: Faults,
): boolean {
  const [name, subject] = ['use_identity_as_username', 'use_subject_as_username'].map(option =>
    options.last(option),
  );
  const proved = certified || options.has('enable_proxy_protocol');
  let identified = false;
  const on = (line: Line | null): line is Line => {
    if (line === null) return false;
    const value = readFlag(line, faults);
    if (value === false) table.note(line, BY_ITSELF);
    return value === true;
  };
  for (const line of [name, subject].filter(on)) {
    if (identified) {
      table.note(line, 'use_identity_as_username comes before it');
    } else if (proved) {
      const whole = 'the user name is the common name alone, not the whole subject';
      table.set('identity', 'cn', [line], line === subject ? whole : undefined);
      identified = true;
    } else if (options.has('certfile')) {
      faults.add(line, 'expected require_certificate true as well; without it nobody gets in');
    } else {
      table.note(line, 'has no effect without TLS');
    }
  }
  return identified;
}
