// Filters against filters, level by level: a topic name is a filter without wildcards.

/** Whether a topic or filter is of $CONTROL, where brokers take orders: it is for superusers only,
 *  whatever rules there are. No wildcard reaches it. */
export function isControl(text: string): boolean {
  return text.startsWith('$CONTROL') && (text.length === 8 || text[8] === '/');
}

function startsApart(a: readonly string[], b: readonly string[]): boolean {
  const wild = (level: string) => level === '#' || level === '+';
  return (wild(a[0]) && b[0].startsWith('$')) || (wild(b[0]) && a[0].startsWith('$'));
}

/** Whether `rule` matches every topic that `wanted` (a name or a filter) matches. */
export function covers(rule: readonly string[], wanted: readonly string[]): boolean {
  if (startsApart(rule, wanted)) return false;
  for (const [i, level] of rule.entries()) {
    if (level === '#') return true;
    if (i >= wanted.length || wanted[i] === '#') return false;
    if (level !== '+' && level !== wanted[i]) return false;
  }
  return rule.length === wanted.length;
}

/** Whether some topic is matched by both. */
export function overlaps(a: readonly string[], b: readonly string[]): boolean {
  if (startsApart(a, b)) return false;
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    if (a[i] === '#' || b[i] === '#') return true;
    if (a[i] !== b[i] && a[i] !== '+' && b[i] !== '+') return false;
  }
  if (a.length === b.length) return true;
  // "a/#" matches "a" as well.
  const longer = a.length > b.length ? a : b;
  return longer[shorter] === '#';
}
