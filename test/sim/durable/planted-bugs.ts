// Ways to lose or to repeat what was promised, each to be planted into a copy of the program. The
// crashing worlds have to find every one of them (planted-bugs.test.ts).

import type { PlantedBug } from '../../mutants/hunt.ts';

const log = 'src/store/log.ts';
const deliver = 'src/core/deliver.ts';
const publish = 'src/core/packets/publish.ts';
const receipts = 'src/core/session/receipts.ts';
const acknowledge = 'src/core/packets/acknowledge.ts';
const estate = 'src/core/estate.ts';
const restore = 'src/core/restore.ts';

export const durabilityBugs: readonly PlantedBug[] = [
  {
    name: 'what waits for the store is written all the same',
    file: 'src/core/session/output.ts',
    find: 'return this.held === null ? this.end : this.start + (this.held[0].at - this.written);',
    replace: 'return this.end;',
  },
  {
    name: 'PUBREC does not wait for the store',
    file: publish,
    find: `  if (b.journal.last !== noted) holdOutput(b, c, topic.durability);
  sendAck(b, c, PUBREC, id, reason);`,
    replace: '  sendAck(b, c, PUBREC, id, reason);',
  },
  {
    name: 'PUBCOMP does not wait for the store',
    file: publish,
    find: '      holdOutput(b, c, durability);\n',
    replace: '',
  },
  {
    name: 'PUBREL does not wait for the store',
    file: acknowledge,
    find: '    holdOutput(b, c, durability);\n',
    replace: '',
  },
  {
    name: 'that PUBREC came is not stored',
    file: acknowledge,
    find: '    b.journal.moved(c.session!, d);\n',
    replace: '',
  },
  {
    name: 'a delivery that the store has cancels out',
    file: 'src/store/entry.ts',
    find: '    return this.entry !== null && !this.entry.handed;',
    replace: '    return this.entry !== null;',
  },
  {
    name: 'the references to a message are miscounted',
    file: log,
    find: '    else (stored.entry!.op as { refs: number }).refs = stored.refs;\n',
    replace: '',
  },
  {
    name: 'a window skips a row',
    file: deliver,
    find: 'b.journal.wantWindow(session, outbox.loadedRank);',
    replace: 'b.journal.wantWindow(session, outbox.loadedRank + 1);',
  },
  {
    name: 'new messages overtake those that wait on disk',
    file: deliver,
    find: 'if (outbox.spilled > 0 || outbox.queued >= b.journal.windowMessages) return true;',
    replace: 'if (outbox.queued >= b.journal.windowMessages) return true;',
  },
  {
    name: 'what was sent at once is read back with what waits',
    file: deliver,
    find: '      if (delivery.rank > 0) outbox.loadedRank = delivery.rank;\n      send(',
    replace: '      send(',
  },
  {
    name: 'QoS 2 identifiers are forgotten at a restart',
    file: restore,
    find: '    s.needReceipts().restore(',
    replace: '    s.receipts = null;\n    s.needReceipts().restore(',
  },
  {
    name: 'identifiers that may be forgotten are not kept apart',
    file: deliver,
    find: 'if (d.qos === 2 && kept && d.message.durability < Durability.Strict) {',
    replace: 'if (d.qos < 0) {',
  },
  {
    name: 'a new message passes for one whose release was forgotten',
    file: receipts,
    find: 'return dup && (first === null || first === topicHash);',
    replace: 'return true;',
  },
  {
    name: 'a message sent again passes for one to another topic whose release was forgotten',
    file: receipts,
    find: 'return dup && (first === null || first === topicHash);',
    replace: 'return dup;',
  },
  {
    name: 'the topic of a QoS 2 identifier is not stored',
    file: log,
    find: 'topicHash: topic.hash };',
    replace: 'topicHash: null };',
  },
  {
    name: 'a QoS 2 message sent again is new after a crash',
    file: receipts,
    find: 'return dup && (first === null || first === topicHash);',
    replace: 'return false;',
  },
  {
    name: 'a will is not stored',
    file: log,
    find: 'will: will === null ? null : { ...will },',
    replace: 'will: null,',
  },
  {
    name: 'that a retained message was cleared is not stored',
    file: log,
    find: '    this.add({ kind: OpKind.RetainedDrop, topic }, durability, topic.length);\n',
    replace: '',
  },
  {
    name: 'a batch that failed is forgotten',
    file: log,
    find: '    this.pending.giveBack(entries);\n',
    replace: '',
  },
  {
    name: 'the watermark is ahead of the disk',
    file: log,
    find: '    this.store.commit({ ops, after',
    replace: '    this.advance(this.last);\n    this.store.commit({ ops, after',
  },
  {
    name: 'that a session ended is not stored',
    file: log,
    find: '    this.add({ kind: OpKind.SessionDrop, sid: s.id }, this.defaultClass, 16);\n',
    replace: '',
  },
  {
    name: 'what was written counts as synced',
    file: 'src/store/schedule.ts',
    find: '    return sync;\n',
    replace: '    return false;\n',
  },
  {
    name: 'the will of a client that was connected is lost in a crash',
    file: restore,
    find: 'away.willDueAt = s.will === null ? NEVER : now + s.will.delaySeconds * 1000;',
    replace: 'away.willDueAt = NEVER;',
  },
  {
    name: 'a window that could not be read is forgotten',
    file: log,
    find: '    this.windows.set(sid, asked);\n    this.windowsNotBefore',
    replace: '    this.windowsNotBefore',
  },
  {
    name: 'a window that could not be read is taken for empty',
    file: log,
    find: '    this.windows.set(sid, asked);\n    this.windowsNotBefore',
    replace: '    this.listener.window(asked.session, []);\n    this.windowsNotBefore',
  },
  {
    name: 'what an ended member left on disk is nobody’s',
    file: estate,
    find: 'away.estate = session.stored && outbox !== null',
    replace: 'away.estate = false && outbox !== null',
  },
  {
    name: 'what an ended member left is not divided after a crash',
    file: restore,
    find: '    b.journal.wantWindow(s, 0);\n',
    replace: '',
  },
  {
    name: 'what an ended member left is known by its name after a crash',
    file: estate,
    find: '    b.journal.sessionLeft(session);\n',
    replace: '    b.journal.session(session);\n',
  },
  {
    name: 'a QoS 2 message that one member was sent goes to another',
    file: estate,
    find: 'const sent = d.qos === 2 && d.state !== DeliveryState.Queued;',
    replace: 'const sent = false;',
  },
  {
    name: 'a message too large for its client stays in flight',
    file: deliver,
    find: `    // Too large for this client: as if it had been delivered [MQTT-3.1.2-25].
    finish(b, session, outbox, delivery);
`,
    replace: '',
  },
  {
    name: 'a message that its client refuses stays in flight',
    file: acknowledge,
    find: '    finish(b, c.session!, outbox!, d);\n    progress(',
    replace: '    progress(',
  },
  {
    name: 'QoS 0 is dropped while somebody waits for the store',
    file: deliver,
    find: 'if (c === null && !(b.options.queueQoS0 && session.persistent)) {',
    replace: 'if (b.holding.length > 0 || c === null) {',
  },
];
