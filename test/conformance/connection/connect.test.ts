// CONNECT as it comes in: what is well formed, what is refused, and with which words.

import assert from 'node:assert/strict';
import {
  binary,
  bytes,
  frame,
  string,
  text,
  u16,
  type Version,
  type WireInput,
} from '../../wire.ts';
import { type Client, World } from '../../world.ts';
import {
  across,
  closedSilently,
  ended,
  everyVersion,
  field,
  one,
  only5,
  only311,
  publish,
  quiet,
  receive,
  since311,
  subscribe,
  texts,
} from '../kit.ts';

const noProperties = (version: Version) => (version === 5 ? bytes('00') : bytes());

/** A CONNECT from pieces: its flags and its payload are given, the rest is as it should be. */
function rawConnect(version: Version, flags: number, ...payload: Uint8Array[]): Uint8Array {
  const name = string(version === 3 ? 'MQIsdp' : 'MQTT');
  return frame(0x10, name, bytes(version, flags), u16(0), noProperties(version), ...payload);
}

/** A malformed CONNECT: MQTT 5 may say so in CONNACK, before that the connection is just closed. */
function refusedAsMalformed(client: Client): void {
  const packets = client.take();
  if (client.version === 5) {
    assert.deepEqual(
      packets.map(packet => ('reason' in packet ? [packet.type, packet.reason] : [packet.type])),
      [['connack', 0x81]],
    );
  } else {
    assert.deepEqual(packets, []);
  }
  assert.equal(client.closed, true);
}

function sent(version: Version, packet: Uint8Array, world = new World()): Client {
  const client = world.open(version);
  client.send(packet);
  return client;
}

across('[MQTT-3.1.0-1] nothing but CONNECT may come first', everyVersion, version => {
  const packets: WireInput[] = [
    { type: 'pingreq' },
    { type: 'publish', topic: 'a' },
    { type: 'subscribe', filters: ['a'] },
    { type: 'disconnect' },
  ];
  for (const packet of packets) {
    const client = new World().open(version);
    client.send(packet);
    closedSilently(client);
  }
});

across(
  '[MQTT-3.1.0-2] a second CONNECT ends the connection as a protocol error',
  everyVersion,
  version => {
    const world = new World();
    const client = world.connect(version, { clientId: 'twice' });
    client.send({ type: 'connect', version, clientId: 'twice' });
    ended(client, 0x82);
  },
);

across('[MQTT-3.1.2-1] a protocol name that is not MQTT ends in a close', since311, version => {
  for (const name of ['MQTT ', 'mqtt', 'MQTS', 'AMQP', '']) {
    const body = [string(name), bytes(version, 2), u16(0), noProperties(version), string('c')];
    const client = sent(version, frame(0x10, ...body));
    assert.equal(client.closed, true, name);
    assert.ok(client.take().every(packet => packet.type === 'connack' && packet.reason !== 0));
  }
});

across(
  '[v3 MQTT-3.1.2-2] an unknown protocol level is answered with return code 1',
  only311,
  version => {
    for (const level of [0, 1, 2, 3]) {
      const client = sent(
        version,
        frame(0x10, string('MQTT'), bytes(level, 2), u16(0), string('c')),
      );
      assert.equal(one(client, 'connack').reason, 1);
      assert.equal(client.closed, true);
    }
  },
);

across(
  '[v5 MQTT-3.1.2-2] [v5 MQTT-3.2.2-8] a newer protocol version is answered with 0x84',
  only5,
  version => {
    for (const level of [6, 100]) {
      const body = [string('MQTT'), bytes(level, 2), u16(0), bytes('00'), string('c')];
      const client = sent(version, frame(0x10, ...body));
      assert.equal(one(client, 'connack').reason, 0x84);
      assert.equal(client.closed, true);
    }
  },
);

across('[MQTT-3.1.2-3] the reserved connect flag has to be 0', since311, version => {
  refusedAsMalformed(sent(version, rawConnect(version, 0x03, string('c'))));
});

across(
  '[v3 MQTT-3.1.2-13] [v3 MQTT-3.1.2-11] [v5 MQTT-3.1.2-11] will QoS without a will is refused',
  since311,
  version => {
    for (const flags of [0x0a, 0x12]) {
      refusedAsMalformed(sent(version, rawConnect(version, flags, string('c'))));
    }
  },
);

across(
  '[v3 MQTT-3.1.2-15] [v5 MQTT-3.1.2-13] will retain without a will is refused',
  since311,
  version => {
    refusedAsMalformed(sent(version, rawConnect(version, 0x22, string('c'))));
  },
);

across('[v3 MQTT-3.1.2-14] [v5 MQTT-3.1.2-12] will QoS 3 is refused', everyVersion, version => {
  const will = [noProperties(version), string('w'), binary(text('gone'))];
  refusedAsMalformed(sent(version, rawConnect(version, 0x1e, string('c'), ...will)));
});

across('[MQTT-3.1.2-9] a will flag without the will fields is refused', everyVersion, version => {
  refusedAsMalformed(sent(version, rawConnect(version, 0x06, string('c'))));
  const topicOnly = [noProperties(version), string('w')];
  refusedAsMalformed(sent(version, rawConnect(version, 0x06, string('c'), ...topicOnly)));
});

across('[v3 MQTT-3.1.2-11] a will without the will flag is refused', since311, version => {
  const will = [noProperties(version), string('w'), binary(text('gone'))];
  refusedAsMalformed(sent(version, rawConnect(version, 0x02, string('c'), ...will)));
});

across(
  '[v3 MQTT-3.1.2-18] [v5 MQTT-3.1.2-16] a user name without its flag is refused',
  since311,
  version => {
    refusedAsMalformed(sent(version, rawConnect(version, 0x02, string('c'), string('user'))));
  },
);

across(
  '[v3 MQTT-3.1.2-19] [v5 MQTT-3.1.2-17] a user name flag without a user name is refused',
  since311,
  version => {
    refusedAsMalformed(sent(version, rawConnect(version, 0x82, string('c'))));
  },
);

across(
  '[v3 MQTT-3.1.2-20] [v5 MQTT-3.1.2-18] a password without its flag is refused',
  since311,
  version => {
    const login = [string('user'), binary(text('secret'))];
    refusedAsMalformed(sent(version, rawConnect(version, 0x82, string('c'), ...login)));
  },
);

across(
  '[v3 MQTT-3.1.2-21] [v5 MQTT-3.1.2-19] a password flag without a password is refused',
  since311,
  version => {
    refusedAsMalformed(sent(version, rawConnect(version, 0xc2, string('c'), string('user'))));
  },
);

across('[v3 MQTT-3.1.2-22] a password without a user name is refused', only311, version => {
  refusedAsMalformed(sent(version, rawConnect(version, 0x42, string('c'), binary(text('pw')))));
});

across(
  '[MQTT-3.1.3-1] the payload is read in its order: id, will, user name, password',
  everyVersion,
  version => {
    const seen: unknown[] = [];
    const world = new World({}, undefined, credentials => {
      const { clientId, username, password } = credentials;
      seen.push(clientId, username, new TextDecoder().decode(password ?? bytes()));
      return { reason: 0 };
    });
    const watcher = world.connect(version);
    subscribe(watcher, 'last/#');
    const client = world.connect(version, {
      clientId: 'the-id',
      will: { topic: 'last/words', payload: text('bye') },
      username: 'the-user',
      password: text('the-password'),
    });
    assert.deepEqual(seen.slice(-3), ['the-id', 'the-user', 'the-password']);
    client.drop();
    const [will] = receive(watcher);
    assert.equal(will?.topic, 'last/words');
    assert.deepEqual(texts([will!]), ['bye']);
  },
);

across('[MQTT-3.1.3-3] a CONNECT without a client id field is refused', everyVersion, version => {
  refusedAsMalformed(sent(version, rawConnect(version, 0x02)));
});

across('[MQTT-3.1.3-4] a client id that is not UTF-8 is refused', everyVersion, version => {
  refusedAsMalformed(sent(version, rawConnect(version, 0x02, field([0x61, 0xc0, 0x80]))));
});

across(
  '[v3 MQTT-3.1.3-10] [v5 MQTT-3.1.3-11] a will topic that is not UTF-8 is refused',
  everyVersion,
  version => {
    const will = [noProperties(version), field([0xff, 0xfe]), binary(text('gone'))];
    refusedAsMalformed(sent(version, rawConnect(version, 0x06, string('c'), ...will)));
  },
);

across(
  '[v3 MQTT-3.1.3-11] [v5 MQTT-3.1.3-12] a user name that is not UTF-8 is refused',
  everyVersion,
  version => {
    const name = field([0xed, 0xa0, 0x80]);
    refusedAsMalformed(sent(version, rawConnect(version, 0x82, string('c'), name)));
  },
);

across(
  '[MQTT-3.1.3-5] client ids of 1 to 23 letters and digits are accepted',
  everyVersion,
  version => {
    const world = new World();
    for (const clientId of [
      'a',
      '0123456789abcdefghijklm',
      'nopqrstuvwxyzABCDEFGHIJ',
      'KLMNOPQRSTUVWXYZ',
    ]) {
      quiet(world.connect(version, { clientId }));
    }
  },
);

across(
  '[v3 MQTT-3.1.3-6] an empty client id is given one when the session is clean',
  only311,
  version => {
    const world = new World();
    const first = world.connect(version, { clientId: '' });
    const second = world.connect(version, { clientId: '' });
    quiet(first);
    quiet(second);
    subscribe(second, 'a');
    publish(first, 'a', { payload: 'hello' });
    assert.deepEqual(texts(receive(second)), ['hello']);
    assert.notEqual(first.connection?.clientId, '');
    assert.notEqual(first.connection?.clientId, second.connection?.clientId);
  },
);

across(
  '[v3 MQTT-3.1.3-8] an empty client id with clean session 0 gets return code 2',
  only311,
  version => {
    const client = new World().open(version);
    client.send({ type: 'connect', version, clientId: '', cleanStart: false });
    assert.equal(one(client, 'connack').reason, 2);
    assert.equal(client.closed, true);
  },
);

across('[v3 MQTT-3.1.3-9] a refused client id gets return code 2 and a close', only311, version => {
  const client = new World({ assignClientIds: false }).open(version);
  client.send({ type: 'connect', version, clientId: '' });
  assert.equal(one(client, 'connack').reason, 2);
  assert.equal(client.closed, true);
});

across(
  '[v5 MQTT-3.1.3-8] a client id that the authenticator rejects gets 0x85 and a close',
  only5,
  version => {
    const world = new World({}, undefined, ({ clientId }) => ({
      reason: clientId === 'bad' ? 0x85 : 0,
    }));
    const client = world.open(version);
    client.send({ type: 'connect', version, clientId: 'bad' });
    assert.equal(one(client, 'connack').reason, 0x85);
    assert.equal(client.closed, true);
  },
);

across(
  '[MQTT-3.1.4-1] [v3 MQTT-4.8.0-1] [v5 MQTT-4.13.1-1] a CONNECT that ends too early or too late is refused',
  everyVersion,
  version => {
    const whole = rawConnect(version, 0x02, string('c'));
    refusedAsMalformed(sent(version, frame(0x10, whole.subarray(2), bytes('00'))));
    refusedAsMalformed(sent(version, frame(0x10, whole.subarray(2, whole.length - 1))));
  },
);

across(
  '[v5 MQTT-3.1.4-2] a CONNECT that fails authentication is refused and closed',
  everyVersion,
  version => {
    const world = new World({}, undefined, () => ({ reason: 0x86 }));
    const client = world.open(version);
    client.send({ type: 'connect', version, clientId: 'c', username: 'u', password: text('no') });
    assert.equal(one(client, 'connack').reason, version === 5 ? 0x86 : 4);
    assert.equal(client.closed, true);
    assert.equal(world.broker.state.sessions.size, 0);
  },
);

across(
  '[v3 MQTT-3.1.4-5] [v5 MQTT-3.1.4-6] nothing after a refused CONNECT is processed',
  everyVersion,
  version => {
    const world = new World({}, undefined, ({ clientId }) => ({
      reason: clientId === 'refused' ? 0x87 : 0,
    }));
    const watcher = world.connect(version);
    subscribe(watcher, '#');
    const client = world.open(version);
    client.send(
      { type: 'connect', version, clientId: 'refused' },
      { type: 'publish', topic: 'a', payload: 'smuggled' },
      { type: 'pingreq' },
    );
    assert.equal(one(client, 'connack').reason, version === 5 ? 0x87 : 5);
    quiet(watcher);
  },
);

across(
  '[v3 §3.1.4] [v5 §3.1.4] packets sent right behind CONNECT are processed once it is accepted',
  everyVersion,
  version => {
    const world = new World({}, undefined, ({ clientId }) =>
      clientId === 'eager' ? null : { reason: 0 },
    );
    const watcher = world.connect(version);
    subscribe(watcher, '#');
    const client = world.open(version);
    client.send(
      { type: 'connect', version, clientId: 'eager' },
      { type: 'publish', topic: 'a', payload: 'early' },
    );
    quiet(watcher);
    assert.equal(client.stopped, true, 'nothing more is read meanwhile');
    world.answer(client, { reason: 0 });
    assert.equal(client.stopped, false);
    assert.equal(one(client, 'connack').reason, 0);
    assert.deepEqual(texts(receive(watcher)), ['early']);
  },
);

across(
  '[v3 §3.1.4] [v5 §3.1.4] a connection that never sends a whole CONNECT is closed in time',
  everyVersion,
  version => {
    const world = new World({ connectTimeoutMs: 5_000 });
    const client = world.open(version);
    client.send(bytes('10 20 00 04'));
    world.advance(4_999);
    quiet(client);
    world.advance(1);
    closedSilently(client);
  },
);

across('[v5 §3.1.2.9] a password may come without a user name', only5, version => {
  const seen: unknown[] = [];
  const world = new World({}, undefined, ({ username, password }) => {
    seen.push(username, password);
    return { reason: 0 };
  });
  world.connect(version, { password: text('token') });
  assert.deepEqual(seen, [null, text('token')]);
});

across(
  '[v5 §3.1.3.2] will properties that stand twice or are out of range are refused',
  only5,
  version => {
    const properties: [string, number][] = [
      ['18 00000001 18 00000001', 0x82],
      ['01 01 01 01', 0x82],
      ['02 00000001 02 00000001', 0x82],
      ['03 0001 61 03 0001 61', 0x82],
      ['08 0001 61 08 0001 61', 0x82],
      ['09 0001 61 09 0001 61', 0x82],
      ['01 02', 0x82],
      ['08 0001 23', 0x82],
      ['21 0001', 0x81],
      ['0b 01', 0x81],
    ];
    for (const [property, reason] of properties) {
      const list = bytes(property);
      const will = [bytes(list.length, list), string('w'), binary(text('gone'))];
      const client = sent(version, rawConnect(version, 0x06, string('c'), ...will));
      assert.equal(one(client, 'connack').reason, reason, property);
      assert.equal(client.closed, true);
    }
  },
);

across('the authenticator may give a client another name', everyVersion, version => {
  const asked: (string | null)[] = [];
  const access = {
    mayPublish: (who: { username: string | null }) => asked.push(who.username) > 0,
    maySubscribe: () => true,
  };
  const world = new World({}, access, () => ({ reason: 0, username: 'known as' }));
  const will = { topic: 'gone' };
  const client = world.connect(version, { username: 'called', password: text('x'), will });
  publish(client, 'a');
  client.drop();
  assert.deepEqual(asked, ['known as', 'known as']);
});
