// A peer's address, and the network that one customer can be taken to own.

/** "192.0.2.7:51234" → "192.0.2.7", "[2001:db8::1]:1" → "2001:db8::1"; what has no port stays. */
export function addressOf(peer: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(peer);
  if (bracketed !== null) return bracketed[1];
  const colon = peer.lastIndexOf(':');
  return colon > 0 && peer.indexOf(':') === colon ? peer.slice(0, colon) : peer;
}

const IPV6 = /^[0-9a-f]*:[0-9a-f:]*:[0-9a-f:.]*(%.*)?$/i;

/** What one attacker can be taken to own: an IPv4 address, or the first half of an IPv6 one. */
export function networkOf(peer: string): string {
  const address = addressOf(peer);
  if (!IPV6.test(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1];
  const [head, tail] = address.split('%')[0].split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail ? tail.split(':') : [];
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...new Array<string>(Math.max(0, zeros)).fill('0'), ...right];
  const half = groups.slice(0, 4).map(group => Number.parseInt(group, 16).toString(16));
  return `${half.join(':')}::/64`;
}
