// Mount points: clients that come in by a listener with one live below it without knowing. It is
// put in front of every topic and filter that they name, and taken off what they are sent; whatever
// is not below it they never see, but for $SYS, which stands for itself. Everything between,
// routing, rules, retained messages and the store, knows whole names only.

import { parseShare } from '../../mqtt/topic.ts';
import { utf8Encode } from '../../mqtt/utf8.ts';
import { Message } from './message.ts';

const SYS = utf8Encode('$SYS');
const SLASH = 0x2f;
/** Names and filters have a length of two bytes on the wire [MQTT-1.5.4-1]. */
const LENGTH_MAX = 65_535;

export class MountPoint {
  readonly text: string;
  readonly bytes: Uint8Array;
  /** What is being sent, under the name that its recipient knows; filled anew for each. */
  private readonly below = new Message();
  /** The name being asked about, this mount point in front. */
  private whole: Uint8Array;

  constructor(text: string) {
    this.text = text;
    this.bytes = utf8Encode(text);
    this.whole = this.bytes;
  }

  /** The whole name of the topic that buf[start, end) names, until the next one is asked for; null
   *  when it would be too long. */
  nameBytes(buf: Uint8Array, start: number, end: number): Uint8Array | null {
    if (isSys(buf, start, end)) return buf.subarray(start, end);
    const { bytes } = this;
    const length = bytes.length + (end - start);
    if (length > LENGTH_MAX) return null;
    if (length > this.whole.length) {
      this.whole = new Uint8Array(Math.min(2 * length, LENGTH_MAX));
      this.whole.set(bytes, 0);
    }
    this.whole.set(buf.subarray(start, end), bytes.length);
    return this.whole.subarray(0, length);
  }

  /** The same for a valid name as text. */
  nameText(name: string): string | null {
    if (name === '$SYS' || name.startsWith('$SYS/')) return name;
    const whole = this.text + name;
    return utf8Encode(whole).length > LENGTH_MAX ? null : whole;
  }

  /** The same for a valid filter: a share keeps its own name in front. */
  filterText(filter: string): string | null {
    const share = parseShare(filter);
    if (share === null) return this.nameText(filter);
    const whole = this.nameText(share.filter);
    return whole === null ? null : `$share/${share.group}/${whole}`;
  }

  /** `m` as a client below sees it, until the next one is asked for; null when it may not. */
  seen(m: Message): Message | null {
    const { bytes, below } = this;
    const { topicBytes } = m;
    const own = topicBytes.length > bytes.length && startsWith(topicBytes, bytes);
    if (!own) return isSys(topicBytes, 0, topicBytes.length) ? m : null;
    below.topic = m.topic.slice(this.text.length);
    below.topicBytes = topicBytes.subarray(bytes.length);
    below.source = m.source;
    below.propertiesStart = m.propertiesStart;
    below.payloadStart = m.payloadStart;
    below.end = m.end;
    below.expiresAt = m.expiresAt;
    return below;
  }
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}

/** Whether the name is $SYS or something below it. */
function isSys(buf: Uint8Array, start: number, end: number): boolean {
  if (end - start < SYS.length) return false;
  for (let i = 0; i < SYS.length; i++) if (buf[start + i] !== SYS[i]) return false;
  return end - start === SYS.length || buf[start + SYS.length] === SLASH;
}

/** Mount points by their text: there are as many as listeners. */
export class MountPoints {
  private readonly known = new Map<string, MountPoint>();

  /** Null for nothing in front. */
  of(text: string): MountPoint | null {
    if (text === '') return null;
    let mount = this.known.get(text);
    if (mount === undefined) {
      mount = new MountPoint(text);
      this.known.set(text, mount);
    }
    return mount;
  }
}
