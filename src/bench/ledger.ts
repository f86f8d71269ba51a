// Who has received what: one sequence number per pair of subscriber and publisher. Knows what is
// still under way for each publisher, and whether anything was lost, repeated or reordered.

export class Ledger {
  /** Everything received by all subscribers, repetitions not counted. */
  received = 0;
  /** Copies with a number not above one already seen by the same subscriber. */
  repeated = 0;
  /** Numbers passed over where every one was due. */
  skipped = 0;
  private readonly publishers: number;
  /** The last number per subscriber and publisher it hears, [subscriber * publishers + publisher];
   *  of pairs only one each. */
  private readonly last: Uint32Array;
  private readonly perPublisher: Float64Array;
  private readonly shape: 'pairs' | 'all' | 'shared';

  /** 'pairs': subscriber n hears publisher n; 'all': everyone hears everyone; 'shared': each
   *  message goes to any one subscriber. Sequence numbers begin at 1. */
  constructor(publishers: number, subscribers: number, shape: 'pairs' | 'all' | 'shared') {
    this.publishers = publishers;
    this.last = new Uint32Array(shape === 'pairs' ? subscribers : publishers * subscribers);
    this.perPublisher = new Float64Array(publishers);
    this.shape = shape;
  }

  /** False when the message cannot have come to this subscriber. */
  receive(subscriber: number, publisher: number, sequence: number): boolean {
    const paired = this.shape === 'pairs';
    if (publisher >= this.publishers || (paired && subscriber !== publisher)) return false;
    const pair = paired ? publisher : subscriber * this.publishers + publisher;
    const step = sequence - this.last[pair]!;
    if (step <= 0) {
      this.repeated++;
      return true;
    }
    if (step > 1 && this.shape !== 'shared') this.skipped += step - 1;
    this.last[pair] = sequence;
    this.perPublisher[publisher]! += 1;
    this.received++;
    return true;
  }

  /** How many of a publisher's messages have reached everyone they are meant for. */
  completed(publisher: number): number {
    if (this.shape === 'pairs') return this.last[publisher]!;
    if (this.shape === 'shared') return this.perPublisher[publisher]!;
    let least = this.last[publisher]!;
    for (let pair = publisher; pair < this.last.length; pair += this.publishers) {
      const sequence = this.last[pair]!;
      if (sequence < least) least = sequence;
    }
    return least;
  }
}
