// QoS 2 messages received from a client and not yet released by PUBREL: their packet identifiers,
// with the durability class of each message.

export class Receipts {
  private readonly classes = new Map<number, number>();
  /** Those from before a restart: that they were released may have been forgotten. Each has its
   *  topic's hash, or null where that was not kept. */
  private doubtful: Map<number, number | null> | null = null;

  /**
   * Whether a message under `id` has come before. After a restart we may have forgotten that its
   * client released the identifier. What comes under it for the first time is a new message then,
   * and so is what comes to another topic: that the client got no answer to, and so sends again.
   */
  knows(id: number, dup: boolean, topicHash: number): boolean {
    if (!this.classes.has(id)) return false;
    const first = this.doubtful?.get(id);
    if (first === undefined) return true;
    return dup && (first === null || first === topicHash);
  }

  /** A message came; true: it takes the place of one from before a restart. */
  add(id: number, durability: number): boolean {
    this.classes.set(id, durability);
    return this.doubtful?.delete(id) ?? false;
  }

  /** One from before a restart. */
  restore(id: number, durability: number, topicHash: number | null): void {
    this.classes.set(id, durability);
    this.doubtful ??= new Map();
    this.doubtful.set(id, topicHash);
  }

  /** It is released: its message's class, or undefined when it was not known. */
  release(id: number): number | undefined {
    const durability = this.classes.get(id);
    if (durability === undefined) return undefined;
    this.classes.delete(id);
    this.doubtful?.delete(id);
    return durability;
  }

  identifiers(): Iterable<number> {
    return this.classes.keys();
  }
}
