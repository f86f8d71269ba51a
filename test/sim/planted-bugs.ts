// Bugs as brokers have had them, each to be planted into a copy of the program. The simulated world
// has to find every one of them (planted-bugs.test.ts).

import type { PlantedBug } from '../mutants/hunt.ts';

const deliver = 'src/core/deliver.ts';
const publish = 'src/core/packets/publish.ts';
const receipts = 'src/core/session/receipts.ts';
const connect = 'src/core/packets/connect.ts';
const ending = 'src/core/ending.ts';
const subscribe = 'src/core/packets/subscribe.ts';
const broker = 'src/core/broker.ts';
const outbox = 'src/core/session/outbox.ts';
const congestion = 'src/core/session/congestion.ts';
const keepAlive = 'src/core/session/keep-alive.ts';

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'a message is acknowledged before it is routed',
    file: publish,
    find: `  const reason = admit(b, c, view, topic, buf, now);
  if (mustNotAcknowledge(b, c, reason)) return reason;
  if (b.journal.last !== noted) holdOutput(b, c, topic.durability);
  sendAck(b, c, PUBACK, id, reason); // [MQTT-4.3.2-4]`,
    replace: `  if (topic.generation !== b.router.generation) b.topics.resolve(topic);
  const wanted = topic.groups.length + topic.hits.filter(h => h.session !== c.session).length > 0;
  const own = topic.hits.some(h => h.session === c.session && (!h.noLocal || h.parts !== null));
  const may = b.access.mayPublish(c, topic.name, view.retain);
  sendAck(b, c, PUBACK, id, !may ? Reason.NotAuthorized : wanted || own ? 0 : 0x10);
  admit(b, c, view, topic, buf, now);
  if (b.journal.last !== noted) holdOutput(b, c, topic.durability);`,
  },
  {
    name: 'DUP is lost when a message is sent again',
    file: deliver,
    find: 'const byte0 = PUBLISH | DUP | (d.qos << 1)',
    replace: 'const byte0 = PUBLISH | (d.qos << 1)',
  },
  {
    name: 'messages are sent again in the wrong order',
    file: outbox,
    find: 'return list.sort((a, b) => a.order - b.order);',
    replace: 'return list.sort((a, b) => b.order - a.order);',
  },
  {
    name: 'one message more than receive maximum is in flight',
    file: deliver,
    find: 'outbox.window < c.inflightMax &&',
    replace: 'outbox.window <= c.inflightMax &&',
  },
  {
    name: 'what is sent again does not count against receive maximum',
    file: deliver,
    find: '  outbox.count(d);\n',
    replace: '',
  },
  {
    name: 'the will is published after DISCONNECT',
    file: ending,
    find: 'if (reason === Reason.NormalDisconnection) session.will = null;',
    replace: '',
  },
  {
    name: 'a delayed will is published at once',
    file: ending,
    find: 'away.willDueAt = now + session.will.delaySeconds * 1000;',
    replace: 'away.willDueAt = now;',
  },
  {
    name: 'a delayed will outlives its session',
    file: ending,
    find: 'divideEstate(b, session, now);\n  publishWill(b, session, now);',
    replace: 'divideEstate(b, session, now);',
  },
  {
    name: 'a retained message survives being cleared',
    file: publish,
    find: 'if (node !== null) clearRetained(b, node);',
    replace: 'if (node !== null && m.qos > 0) clearRetained(b, node);',
  },
  {
    name: 'an expired retained message is never forgotten',
    file: publish,
    find: 'if (copy.expiresAt !== NEVER) b.timers.arm(',
    replace: 'if (copy.expiresAt === NEVER) b.timers.arm(',
  },
  {
    name: 'a QoS 2 message is routed twice when its publisher takes its session over',
    file: connect,
    find: '  giveSession(b, session, c);\n',
    replace: '  giveSession(b, session, c);\n  session.receipts = null;\n',
  },
  {
    name: 'a QoS 2 identifier is never released',
    file: receipts,
    find: '    this.classes.delete(id);\n',
    replace: '',
  },
  {
    name: 'what was in flight is not sent again after a reconnect',
    file: connect,
    find: '    session.outbox.restart();\n',
    replace: '',
  },
  {
    name: 'the queue is not drained when the output has been written',
    file: broker,
    find: 'if (c.session !== null) progress(this.state, c.session, now);',
    replace: 'if (c.session?.congested === false) progress(this.state, c.session, now);',
  },
  {
    name: 'an acknowledgement does not make room for the next message',
    file: deliver,
    find: 'if (session.outbox !== null && !session.outbox.clear) pump(b, session, now);',
    replace: 'if (session.outbox?.inflight === 0) pump(b, session, now);',
  },
  {
    name: 'a packet identifier is used again while it is in flight',
    file: outbox,
    find: `      id = id >= last ? 1 : id + 1;
    } while (this.taken(id));`,
    replace: `      id = id >= 24 ? 1 : id + 1;
    } while (false);`,
  },
  {
    name: 'PUBREL is not sent again',
    file: deliver,
    find: `    sendAck(b, c, PUBREL, d.packetId, 0);
    return;`,
    replace: '    return;',
  },
  {
    name: 'the expiry interval travels on as it came',
    file: deliver,
    find: 'extras.expirySeconds = m.remainingSeconds(now);',
    replace:
      'extras.expirySeconds = Math.max(m.remainingSeconds(now), m.expiresAt < now + 6e4 ? 5 : -1);',
  },
  {
    name: 'an expired message is delivered from the queue',
    file: deliver,
    find: 'if (d.message.expiresAt <= now) {\n      b.counters.droppedExpired++;',
    replace: 'if (d.message.expiresAt <= now - 5000) {\n      b.counters.droppedExpired++;',
  },
  {
    name: 'no local is ignored',
    file: publish,
    find: 'if (hit.noLocal && hit.session === from) {',
    replace: 'if (hit.noLocal && hit.session !== from && hit.session.connection === null) {',
  },
  {
    name: 'every member of a share gets the message',
    file: publish,
    find: `    const member = groups[i].pick(null, b.access, m.topic);
    if (member === null) continue;
    recipients++;
    deliver(b, member, m, shared, now);`,
    replace: `    for (const member of groups[i].members) {
      recipients++;
      deliver(b, member, m, shared, now);
    }`,
  },
  {
    name: 'a share picks an offline member though one is connected',
    file: 'src/core/routing/share-group.ts',
    find: 'if (session.connection === null) {',
    replace: 'if (session.connection === null && session.expirySeconds === 0) {',
  },
  {
    name: 'a QoS 2 message of a share changes its member',
    file: 'src/core/estate.ts',
    find: 'const sent = d.qos === 2 && d.state !== DeliveryState.Queued;',
    replace: 'const sent = false;',
  },
  {
    name: 'overlapping subscriptions lose an identifier',
    file: 'src/core/routing/subscription.ts',
    find: 'identifiers.length > 0 ? identifiers : null,',
    replace: 'parts[0].identifiers,',
  },
  {
    name: 'overlapping subscriptions deliver at the lowest QoS',
    file: 'src/core/routing/subscription.ts',
    find: 'if (part.qos > qos) qos = part.qos;',
    replace: 'qos = part.qos;',
  },
  {
    name: 'the retain flag is kept for everybody',
    file: deliver,
    find: 'const retain = m.retain && hit.retainAsPublished;',
    replace: 'const retain = m.retain;',
  },
  {
    name: 'retained messages come without the retain flag',
    file: subscribe,
    find: '  if (s.retainAsPublished) return s;\n',
    replace: '  if (s.qos > 0) return s;\n',
  },
  {
    name: 'retained messages are sent to a subscription that is not new',
    file: subscribe,
    find: '(entry.retainHandling === 1 && isNew)',
    replace: 'entry.retainHandling === 1',
  },
  {
    name: 'retained messages stop where the client was slow',
    file: deliver,
    find: '  if (session.congested) relieve(b, session);\n  b.scheduleWalk(session);',
    replace: '  if (session.congested) relieve(b, session);',
  },
  {
    name: 'topic aliases are remembered across connections',
    file: deliver,
    find: 'const { byTopic, max } = c.outAliases;',
    replace: `const memory = c.session as unknown as { aliases?: Map<string, number> };
  memory.aliases ??= c.outAliases.byTopic;
  const byTopic = memory.aliases;
  const { max } = c.outAliases;`,
  },
  {
    name: 'session present is what the client asked for',
    file: connect,
    find: 'if (c.version !== 5) return { sessionPresent, reason: 0, properties: null };',
    replace: `if (c.version !== 5) {
    return { sessionPresent: !packet.cleanStart, reason: 0, properties: null };
  }`,
  },
  {
    name: 'a clean start keeps the old session',
    file: connect,
    find: 'known !== undefined && !packet.cleanStart && takeOver',
    replace: 'known !== undefined && takeOver',
  },
  {
    name: 'a drop at the bound of a queue is not counted',
    file: deliver,
    find: 'finish(b, session, outbox, dequeue(b, outbox));\n      b.counters.droppedQueueFull++;',
    replace: 'finish(b, session, outbox, dequeue(b, outbox));',
  },
  {
    name: 'the newest message is dropped where the oldest should be',
    file: deliver,
    find: "if (b.options.queuePolicy === 'drop-oldest') {",
    replace: "if (b.options.queuePolicy === 'drop-oldest' && outbox.inflight === 0) {",
  },
  {
    name: 'a message keeps the bytes that were only lent',
    file: deliver,
    find: '  b.ownedCopy ??= m.own();\n  return b.ownedCopy;',
    replace: '  return m;',
  },
  {
    name: 'a packet larger than the client takes is sent',
    file: deliver,
    find: `    length = publishLength(m, extras, (byte0 >> 1) & 3, v5);
    if (length > c.packetSizeMax) return tooLarge(b);`,
    replace: '    length = publishLength(m, extras, (byte0 >> 1) & 3, v5);',
  },
  {
    name: 'queued QoS 0 messages are overtaken',
    file: deliver,
    find: 'c === null || (session.outbox !== null && session.outbox.queuedQoS0 > 0)',
    replace: 'c === null',
  },
  {
    name: 'wildcards at the front match topics that begin with $',
    file: 'src/core/routing/router.ts',
    find: 'topic.charCodeAt(0) !== 36',
    replace: 'topic.charCodeAt(1) !== 36',
  },
  {
    name: 'a session never ends by itself',
    file: ending,
    find: 'away.endsAt = session.expires ? now + session.expirySeconds * 1000 : NEVER;',
    replace:
      'away.endsAt = session.expirySeconds < 10 ? now + session.expirySeconds * 1000 : NEVER;',
  },
  {
    name: 'a client is given up after one keep alive',
    file: keepAlive,
    find: 'return c.aliveAt + c.keepAliveMs * 1.5;',
    replace: 'return c.aliveAt + c.keepAliveMs;',
  },
  {
    name: 'every byte keeps a client alive',
    file: broker,
    find: 'bytesReceived += chunk.length;\n',
    replace: 'bytesReceived += chunk.length;\n    c.aliveAt = now;\n',
  },
  {
    name: 'what a paused publisher had sent is forgotten',
    file: congestion,
    find: '  b.resumed.push(c);\n',
    replace: '  if (c.pauseTimer === null) b.resumed.push(c);\n',
  },
  {
    name: 'the end of a chunk is forgotten when it is no whole packet',
    file: broker,
    find: 'if (pos < 0 || pos === chunk.length) return;',
    replace: 'if (pos < 0 || pos >= chunk.length - 1) return;',
  },
];
