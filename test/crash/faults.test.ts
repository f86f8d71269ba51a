// What can be wrong with the data directory, seen from outside: one clear line and an exit code
// where the broker cannot start, damaged files moved aside, a full disk that stops only what needs
// it, and no writing at all while nothing happens.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtimeDriver } from '../../src/store/sqlite/runtime-driver.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';
import { endChildren, run } from '../integration/process.ts';
import { BrokerProcess } from './broker-process.ts';
import { RawClient, retainedAt } from './raw.ts';

const CANNOT_CREATE = 73;
const lasting = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } } as const;

/** Runs `body` in a directory that goes afterwards. */
async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'minnow-faults-'));
  try {
    await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function withBroker(
  broker: BrokerProcess,
  body: (broker: BrokerProcess) => Promise<void>,
): Promise<void> {
  try {
    await body(broker);
  } finally {
    await broker.remove();
  }
}

/** What lies in a directory, empty files aside: names, sizes and contents. */
function contents(directory: string): [string, number, string][] {
  return readdirSync(directory)
    .sort()
    .map(name => join(directory, name))
    .filter(path => statSync(path).isFile() && statSync(path).size > 0)
    .map(path => [path, statSync(path).size, readFileSync(path, 'latin1')]);
}

/** The broker refuses to start: one line that names `expected`, exit code 73, nothing changed. */
async function refuses(data: string, expected: RegExp): Promise<void> {
  const broker = new BrokerProcess([], data);
  const { code, stderr, lines } = await run(broker.command());
  assert.equal(code, CANNOT_CREATE, stderr);
  const said = [...lines, ...stderr.split('\n')].filter(line => line !== '');
  assert.equal(said.length, 1, said.join('\n'));
  assert.match(said[0], expected);
  assert.match(said[0], /--data DIR/);
}

/** A file system of its own of so many megabytes, or null where that is not allowed. */
function mountSmall(directory: string, megabytes: number): (() => void) | null {
  const options = ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'minnow-test', directory];
  if (spawnSync('mount', options).status !== 0) return null;
  return () => {
    assert.equal(spawnSync('umount', [directory]).status, 0);
  };
}

function mountMissing(): string | null {
  const directory = mkdtempSync(join(tmpdir(), 'minnow-mount-'));
  try {
    const unmount = mountSmall(directory, 1);
    unmount?.();
    return unmount === null ? 'a file system cannot be mounted here' : null;
  } catch {
    return 'there is no mount command';
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const noMount = mountMissing();

function withMount(name: string, body: () => Promise<void>): void {
  if (noMount === null) test(name, body);
  else skipped(name, noMount);
}

async function keepOne(port: number, topic: string, payload: string): Promise<void> {
  const client = await new RawClient(port).connect();
  client.send({ type: 'publish', topic, payload, qos: 1, retain: true, packetId: 1 });
  await client.next('puback');
  client.close();
}

afterAll(endChildren);

describe('a data directory that cannot be used', () => {
  test('lies below a file', () =>
    inDirectory(async directory => {
      const file = join(directory, 'file');
      writeFileSync(file, 'mine');
      const before = contents(directory);
      await refuses(join(file, 'data'), /cannot create the data directory/);
      assert.deepEqual(contents(directory), before);
    }));

  test('is not there and cannot be made', () => refuses('/proc/minnow/data', /cannot create/));

  const name = 'cannot be written to';
  if (process.getuid?.() === 0 && noMount !== null) skipped(name, noMount);
  else {
    test(name, () =>
      inDirectory(async directory => {
        const unmount = mountSmall(directory, 1);
        try {
          // Permissions stop everybody but root, whom only the file system itself can stop.
          if (unmount === null) chmodSync(directory, 0o500);
          else assert.equal(spawnSync('mount', ['-o', 'remount,ro', directory]).status, 0);
          await refuses(directory, /the data directory cannot be written to/);
          assert.deepEqual(readdirSync(directory), []);
        } finally {
          unmount?.();
        }
      }),
    );
  }

  test('is in use by another minnow, which goes on', () =>
    withBroker(new BrokerProcess(), async broker => {
      await broker.start();
      await keepOne(broker.port, 'kept', 'before');
      const before = contents(broker.data);
      await refuses(broker.data, /another minnow has it open; stop it/);
      assert.deepEqual(contents(broker.data), before);
      await keepOne(broker.port, 'kept', 'after');
      await broker.kill();
      await broker.start();
      assert.deepEqual(await retainedAt(broker.port), new Map([['kept', 'after']]));
    }));

  test('holds a database of a newer minnow', () =>
    withBroker(new BrokerProcess(), async broker => {
      await broker.start();
      await broker.stop();
      const database = (await runtimeDriver()).open(join(broker.data, 'minnow.db'));
      database.exec('PRAGMA user_version = 99; UPDATE state SET version = 99');
      database.close();
      const before = contents(broker.data);
      await refuses(broker.data, /it was written by a newer minnow .*; update minnow/);
      assert.deepEqual(contents(broker.data), before);
    }));
});

describe('a damaged database', () => {
  test('is moved aside, loudly, and a new one begun', () =>
    withBroker(new BrokerProcess(), async broker => {
      await broker.start();
      for (let i = 0; i < 20; i++) await keepOne(broker.port, `kept/${i}`, 'x'.repeat(2_000));
      assert.equal(await broker.stop(), 0);
      const path = join(broker.data, 'minnow.db');
      const bytes = readFileSync(path);
      // The roots of the trees, whose pages nothing can be read without.
      for (let page = 1; page * 4096 < bytes.length; page++)
        bytes.fill(0x5a, page * 4096 + 1, page * 4096 + 12);
      writeFileSync(path, bytes);

      await broker.start();
      const [aside] = readdirSync(broker.data).filter(name => /^minnow\.db\.bad-[^-]*$/.test(name));
      assert.ok(aside, readdirSync(broker.data).join(' '));
      assert.deepEqual(readFileSync(join(broker.data, aside)), bytes);
      const said = JSON.parse(await broker.process.line(/moved aside/)) as Record<string, unknown>;
      assert.equal(said.movedAside, join(broker.data, aside));
      assert.ok(said.level === 'error' || said.level === 50, `level ${said.level}`);
      assert.deepEqual(await retainedAt(broker.port), new Map());
      await keepOne(broker.port, 'kept', 'anew');
      await broker.kill();
      await broker.start();
      assert.deepEqual(await retainedAt(broker.port), new Map([['kept', 'anew']]));
    }));
});

const filling = '.'.repeat(4_000);
// Without $SYS: nothing but what happens wakes the broker.
const fullFlags = [
  'sys.intervalMs=0',
  'store.batchMs=50',
  'store.walBytes=64kB',
  'store.freeBytesMin=0',
].flatMap(flag => ['--set', flag]);
const fullRules = JSON.stringify([{ filter: 'none/#', durability: 'none' }]);

/** Publishes until an acknowledgement stays out; what was acknowledged, and who waits. */
async function publishUntilFull(broker: BrokerProcess, fill: () => void) {
  const publisher = await new RawClient(broker.port).connect({ clientId: 'publisher' });
  const acknowledged: string[] = [];
  const publish = (serial: number) => {
    const packetId = serial + 1;
    const text = `${serial} ${filling}`;
    publisher.send({ type: 'publish', topic: 'strict/a', payload: text, qos: 1, packetId });
  };
  for (let serial = 0; ; serial++) {
    if (serial === 20) fill();
    publish(serial);
    const trouble = broker.process.line(/the store cannot be written/).catch(() => null);
    const answer = await Promise.race([publisher.next('puback'), trouble]);
    if (answer === null || typeof answer === 'string') return { publisher, acknowledged, serial };
    assert.equal(answer.reason, 0);
    acknowledged.push(String(serial));
  }
}

describe('a full disk', () => {
  withMount('refuses what must be stored, serves the rest, recovers by itself', () =>
    inDirectory(async directory => {
      const unmount = mountSmall(directory, 4)!;
      const filler = join(directory, 'filler');
      try {
        const broker = new BrokerProcess(
          [...fullFlags, '--set', `store.rules=${fullRules}`],
          directory,
        );
        await withBroker(broker, async () => {
          await broker.start();
          const away = await new RawClient(broker.port).connect({ clientId: 'away', ...lasting });
          away.send({ type: 'subscribe', filters: [{ filter: 'strict/#', qos: 2 }] });
          await away.next('suback');
          away.close();
          const { publisher, acknowledged, serial } = await publishUntilFull(broker, () =>
            fillUp(filler),
          );

          await refusesStrict(broker.port);
          await servesTheRest(broker.port);

          rmSync(filler);
          const { reason } = await publisher.next('puback'); // it waited until now
          assert.equal(reason, 0);
          acknowledged.push(String(serial));
          await broker.process.line(/the store works again/);
          publisher.send({
            type: 'publish',
            topic: 'strict/a',
            payload: 'again',
            qos: 1,
            packetId: 9,
          });
          assert.equal((await publisher.next('puback')).reason, 0);
          acknowledged.push('again');

          await broker.kill();
          await broker.start();
          assert.deepEqual(await waitingFor(broker.port, 'away'), acknowledged);
        });
      } finally {
        unmount();
      }
    }),
  );
});

/** Leaves no room on the file system of `path`. */
function fillUp(path: string): void {
  const block = Buffer.alloc(4096);
  for (;;) {
    try {
      writeFileSync(path, block, { flag: 'a' });
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'ENOSPC');
      return;
    }
  }
}

async function refusesStrict(port: number): Promise<void> {
  const topic = 'strict/a';
  const five = await new RawClient(port, 5).connect();
  five.send({ type: 'publish', topic, payload: 'refused', qos: 1, packetId: 1 });
  assert.equal((await five.next('puback')).reason, 0x97);
  five.send({ type: 'publish', topic, payload: 'refused', qos: 2, packetId: 2 });
  assert.equal((await five.next('pubrec')).reason, 0x97);
  five.close();
  for (const [version, qos] of [
    [3, 1],
    [4, 1],
    [4, 2],
  ] as const) {
    const client = await new RawClient(port, version).connect({ clientId: `three-${version}` });
    client.send({ type: 'publish', topic, payload: 'refused', qos, packetId: 1 });
    await client.until(() => client.closed, 'end of the connection');
    assert.deepEqual(client.packets, []);
  }
}

async function servesTheRest(port: number): Promise<void> {
  const subscriber = await new RawClient(port, 4).connect({ clientId: 'here' });
  subscriber.send({ type: 'subscribe', filters: [{ filter: '+/b', qos: 2 }] });
  await subscriber.next('suback');
  const publisher = await new RawClient(port, 5).connect();
  for (const [topic, qos] of [
    ['strict/b', 0],
    ['none/b', 1],
    ['none/b', 2],
    ['here/b', 1],
  ] as const) {
    publisher.send({
      type: 'publish',
      topic,
      payload: `at ${qos}`,
      qos,
      ...(qos > 0 && { packetId: 1 }),
    });
    if (qos > 0) {
      const answer = await publisher.next(qos === 1 ? 'puback' : 'pubrec');
      assert.ok(answer.reason < 0x80, topic);
    }
    const message = await subscriber.next('publish');
    assert.equal(new TextDecoder().decode(message.payload), `at ${qos}`);
  }
  subscriber.close();
  publisher.close();
}

/** The first words of what waits for a session. */
async function waitingFor(port: number, clientId: string): Promise<string[]> {
  const client = await new RawClient(port).connect({ clientId, ...lasting });
  const texts = () =>
    client.packets.flatMap(packet =>
      packet.type === 'publish' ? [new TextDecoder().decode(packet.payload)] : [],
    );
  await client.until(() => texts().at(-1) === 'again', 'last message');
  client.close();
  return texts().map(text => text.split(' ')[0]);
}

describe('an idle broker', () => {
  const name = 'writes nothing';
  if (process.platform !== 'linux') {
    skipped(name, 'what a process writes is read from /proc');
    return;
  }

  test(name, () =>
    withBroker(new BrokerProcess(['--set', 'sys.intervalMs=100']), async broker => {
      await broker.start();
      await keepOne(broker.port, 'kept', 'x');
      const away = await new RawClient(broker.port).connect({ clientId: 'away', ...lasting });
      away.close();
      const watcher = await new RawClient(broker.port).connect();
      watcher.send({ type: 'subscribe', filters: [{ filter: '$SYS/broker/uptime', qos: 0 }] });
      await watcher.next('suback');
      const ticks = (count: number) =>
        watcher.until(() => watcher.packets.length >= count, `${count} reports`);
      await ticks(2); // what goes with the batch has gone
      const before = written(broker);
      await ticks(6); // one a second
      assert.deepEqual(written(broker), before);
    }),
  );
});

/** What a broker has written, bytes to a disk and when its files were last changed; on Bun also
 *  what it has given to `write`: on Node V8 writes to an eventfd whenever it feels like it. */
function written(broker: BrokerProcess): Record<string, number | bigint> {
  const io = readFileSync(`/proc/${broker.pid}/io`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(io)?.[1]);
  const changed = readdirSync(broker.data).map(name => {
    return [name, statSync(join(broker.data, name), { bigint: true }).mtimeNs];
  });
  const given = 'Bun' in globalThis ? field('wchar') : 0;
  return { given, disk: field('write_bytes'), ...Object.fromEntries(changed) };
}
