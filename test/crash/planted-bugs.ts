// Bugs that lose or double what was acknowledged, each of which the crash suite has to find.

import type { PlantedBug } from '../mutants/hunt.ts';

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'acknowledgements do not wait for the disk',
    file: 'src/core/session/output.ts',
    find: 'return this.held === null ? this.end :',
    replace: 'return this.end > 0 ? this.end :',
  },
  {
    name: 'the step from PUBREC to PUBCOMP is not kept',
    file: 'src/store/log.ts',
    find: 'sid, rank: d.rank, state, packetId };\n',
    replace: 'sid, rank: d.rank, state, packetId };\n      if (released) return;\n',
  },
  {
    name: 'the packet identifier of a QoS 2 delivery is not kept',
    file: 'src/store/log.ts',
    find: 'this.add(op, stored.durability, 24);',
    replace: '',
  },
  {
    name: 'a QoS 2 delivery leaves before its identifier is kept',
    file: 'src/core/deliver.ts',
    find: 'if (delivery.qos === 2) holdOutput(b, c, delivery.message.durability);',
    replace: '',
  },
  {
    name: 'QoS 2 identifiers of publishers are not kept',
    file: 'src/store/log.ts',
    find: '    this.add(op, topic.durability, 20);\n',
    replace: '',
  },
  {
    name: 'unsubscribing is not kept',
    file: 'src/core/packets/subscribe.ts',
    find: 'b.journal.unsubscribed(subscription);',
    replace: 'void 0;',
  },
  {
    name: 'subscriptions are not restored',
    file: 'src/core/restore.ts',
    find: 'b.router.add(subscription);',
    replace: '',
  },
  {
    name: 'clearing a retained message is not kept',
    file: 'src/store/log.ts',
    find: 'this.add({ kind: OpKind.RetainedDrop, topic }, durability, topic.length);',
    replace: 'void topic;\n    void durability;',
  },
  {
    name: 'a lost connection has no will after the restart',
    file: 'src/core/restore.ts',
    find: 'away.willDueAt = s.will === null ? NEVER : now + s.will.delaySeconds * 1000;',
    replace: 'away.willDueAt = NEVER;',
  },
  {
    name: 'a session is forgotten with its connection',
    file: 'src/core/restore.ts',
    find: 'away.endsAt = s.expires ? now + s.expirySeconds * 1000 : NEVER;',
    replace: 'away.endsAt = now;',
  },
  {
    name: 'a message is dropped with the first of its deliveries',
    file: 'src/store/log.ts',
    find: 'mid: stored.messageGone ? 0 : id,\n      refs,',
    replace: 'mid: stored.messageGone ? 0 : id,\n      refs: Math.min(refs, 1),',
  },
  {
    name: 'the second window of a backlog begins anew',
    file: 'src/core/deliver.ts',
    find: 'outbox.loadedRank = d.rank;\n    outbox.spilled--;',
    replace: 'outbox.spilled--;',
  },
  {
    name: 'new messages overtake those that wait on disk',
    file: 'src/core/deliver.ts',
    find: 'if (outbox.spilled > 0 || outbox.queued >= b.journal.windowMessages) return true;',
    replace: 'if (outbox.queued >= b.journal.windowMessages) return true;',
  },
];
