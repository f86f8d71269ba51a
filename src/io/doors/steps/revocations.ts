// Which certificates a revocation list names. The TLS library asks that itself in a handshake; this
// is for those who are in already when the list changes, which no runtime has a function for. Of
// ASN.1 only what leads there is read.

interface Element {
  readonly tag: number;
  /** Of the content. */
  readonly start: number;
  readonly end: number;
  /** Of tag, length and content. */
  readonly from: number;
}

const INTEGER = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const EXPLICIT_0 = 0xa0;

/** Throws a RangeError when there is none. */
function readElement(der: Buffer, from: number, limit: number): Element {
  let start = from + 2;
  let length = start <= limit ? der[from + 1]! : Number.NaN;
  if (length === 0x80) length = Number.NaN; // until an end that is marked: no DER
  if (length > 0x80) {
    const bytes = length - 0x80;
    length = start + bytes <= limit && bytes <= 4 ? der.readUIntBE(start, bytes) : Number.NaN;
    start += bytes;
  }
  const end = start + length;
  if (!(end <= limit)) throw new RangeError('this is cut, or is no DER');
  return { tag: der[from]!, start, end, from };
}

function children(der: Buffer, { start, end }: Pick<Element, 'start' | 'end'>): Element[] {
  const found: Element[] = [];
  for (let at = start; at < end; at = found[found.length - 1]!.end) {
    found.push(readElement(der, at, end));
  }
  return found;
}

function nameOf(der: Buffer, issuer: Element | undefined, serial: Element | undefined): string {
  if (issuer?.tag !== SEQUENCE || serial?.tag !== INTEGER) {
    throw new RangeError('an issuer or a number is missing');
  }
  const hex = (from: number, end: number) => der.subarray(from, end).toString('hex');
  return `${hex(issuer.from, issuer.end)} ${hex(serial.start, serial.end)}`;
}

/** What is signed: the first element of the outermost one. */
function signedPart(der: Buffer): Element[] {
  const [signed] = children(der, readElement(der, 0, der.length));
  if (signed?.tag !== SEQUENCE) throw new RangeError('nothing is signed here');
  return children(der, signed);
}

/** Issuer and serial number of a certificate, as text that stands for both. */
export function certificateName(der: Buffer): string {
  const parts = signedPart(der);
  if (parts[0]?.tag === EXPLICIT_0) parts.shift(); // version
  const [serial, , issuer] = parts;
  return nameOf(der, issuer, serial);
}

/** Who has issued a certificate, and whose it is, as texts that can be compared. */
export function issuerName(der: Buffer): string {
  return partOf(der, 2);
}

export function subjectName(der: Buffer): string {
  return partOf(der, 4);
}

/** A part of what is signed in a certificate, counted behind the version, which may be missing. */
function partOf(der: Buffer, index: number): string {
  const parts = signedPart(der);
  if (parts[0]?.tag === EXPLICIT_0) parts.shift();
  const part = parts[index];
  if (part?.tag !== SEQUENCE) throw new RangeError('a name is missing');
  return der.subarray(part.from, part.end).toString('hex');
}

/** The names, as above, of all that a list revokes. */
export function revokedNames(der: Buffer): string[] {
  const parts = signedPart(der);
  if (parts[0]?.tag === INTEGER) parts.shift(); // version
  const [, issuer, ...rest] = parts;
  const list = rest.find(({ tag }) => tag !== UTC_TIME && tag !== GENERALIZED_TIME);
  if (list?.tag !== SEQUENCE) return []; // extensions or nothing
  return children(der, list).map(entry => nameOf(der, issuer, children(der, entry)[0]));
}
