// A certificate authority for tests, by the openssl command: certificates good and bad, and lists
// of revoked ones.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

interface Wish {
  /** "CN=localhost"; parts are separated by slashes. */
  readonly subject?: string;
  /** As OpenSSL writes them: "DNS:localhost,IP:127.0.0.1". */
  readonly names?: string;
  /** "20200101000000Z". */
  readonly from?: string;
  readonly to?: string;
}

const PAST = '20200101000000Z';
const SELF_SIGNED = ['-days', '30', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
const FUTURE = '21200101000000Z';

export class Authority {
  /** PEM file of its own certificate. */
  readonly certificate: string;
  private readonly folder: string;

  /** Stands for itself unless somebody stands for it. */
  constructor(name = 'test authority', parent: Authority | null = null) {
    this.folder = mkdtempSync(join(tmpdir(), 'minnow-ca-'));
    this.certificate = join(this.folder, 'ca.pem');
    mkdirSync(join(this.folder, 'issued'));
    writeFileSync(join(this.folder, 'index'), '');
    writeFileSync(join(this.folder, 'serial'), '01\n');
    writeFileSync(join(this.folder, 'crlnumber'), '01\n');
    writeFileSync(this.at('ca.cnf'), this.config(''));
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const files = ['-keyout', this.at('ca.key'), '-out', this.certificate];
    const subject = ['-subj', `/CN=${name}`];
    if (parent === null) this.openssl('req', '-x509', ...key, ...files, ...subject, ...SELF_SIGNED);
    else {
      this.openssl(
        'req',
        ...key,
        '-keyout',
        this.at('ca.key'),
        '-out',
        this.at('ca.csr'),
        ...subject,
      );
      parent.sign(this);
    }
  }

  /** A new certificate of its own for the same name and key. */
  renewed(name: string): string {
    const [key, file] = [this.at('ca.key'), this.at('renewed.pem')];
    this.openssl('req', '-x509', '-key', key, '-out', file, '-subj', `/CN=${name}`, ...SELF_SIGNED);
    return file;
  }

  private sign(child: Authority): void {
    const extensions = child.at('ca.ext');
    writeFileSync(extensions, 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n');
    const by = ['-CA', this.certificate, '-CAkey', this.at('ca.key'), '-CAcreateserial'];
    const files = ['-in', child.at('ca.csr'), '-out', child.certificate, '-extfile', extensions];
    this.openssl('x509', '-req', ...by, ...files, '-days', '30');
  }

  /** A certificate for `name`; by default one for localhost that is valid now. */
  issue(name: string, { subject, names, from = PAST, to = FUTURE }: Wish = {}): Pair {
    const pair = { certificate: this.at(`${name}.pem`), key: this.at(`${name}.key`) };
    const request = this.at(`${name}.csr`);
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const subj = ['-subj', `/${subject ?? `CN=${name}`}`];
    this.openssl('req', ...key, '-keyout', pair.key, '-out', request, ...subj);
    const config = this.at(`${name}.cnf`);
    writeFileSync(config, this.config(`subjectAltName=${names ?? `DNS:${name}`}`));
    const dates = ['-startdate', from, '-enddate', to];
    const files = ['-config', config, '-in', request, '-out', pair.certificate];
    this.openssl('ca', '-batch', '-notext', ...files, ...dates, '-extensions', 'leaf');
    return pair;
  }

  revoke({ certificate }: Pair): void {
    this.openssl('ca', '-config', this.at('ca.cnf'), '-revoke', certificate);
  }

  /** PEM file of the certificates revoked so far. */
  revocations(name = 'crl.pem'): string {
    const file = this.at(name);
    this.openssl('ca', '-config', this.at('ca.cnf'), '-gencrl', '-crldays', '30', '-out', file);
    return file;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  private config(extensions: string): string {
    return `
[ca]
default_ca = authority
[authority]
dir = ${this.folder}
database = $dir/index
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir/issued
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = optional
organizationName = optional
[leaf]
basicConstraints = CA:FALSE
${extensions}
`;
  }

  private openssl(...args: string[]): void {
    const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl ${args.join(' ')}:\n${stderr}`);
  }
}
