// Whom an address stands for where addresses are counted.

/** "192.0.2.7:51234" → "192.0.2.7"; of an IPv6 address the first half: one customer's. */
export function networkOf(peer: string): string {
  const bracketed = /^\[(?:::ffff:)?([^\]%]*)[^\]]*\](?::\d+)?$/i.exec(peer);
  const address = bracketed === null ? peer.replace(/^([^:]*):\d+$/, '$1') : bracketed[1];
  if (!address.includes(':')) return address;
  const [head, tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...new Array<string>(Math.max(0, zeros)).fill('0'), ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
