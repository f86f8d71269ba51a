// Plain listeners with settings of their own, in both I/O modes: the driver serves them, each
// keeps to its bounds, and all that accept share the descriptors of the process.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, test } from '../harness.ts';
import { Stranger } from '../security/kit.ts';
import { modes } from './door-kit.ts';
import { Background, messages, minnow, minnowSub, ok, run, useMinnow } from './process.ts';

/** MQTT 3.1.1, no client id. */
const CONNECT = Buffer.from([0x10, 12, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, 0]);
/** MQTT 5, which is told why it is refused. */
const CONNECT_5 = Buffer.from([0x10, 13, 0, 4, 77, 81, 84, 84, 5, 2, 0, 60, 0, 0, 0]);
const RATE_EXCEEDED = 0x9f;

const strangers: Stranger[] = [];
afterEach(() => {
  for (const stranger of strangers.splice(0)) stranger.socket.destroy();
});

/** The code of its CONNACK; null for one that was sent away without. */
async function arrive(port: number, ...first: Uint8Array[]): Promise<number | null> {
  const stranger = await Stranger.arrive(port).catch(() => null); // it may be sent away that soon
  if (stranger === null) return null;
  strangers.push(stranger);
  for (const bytes of first) stranger.say(bytes);
  return stranger.told(4).then(
    connack => connack[3]!,
    () => null,
  );
}

const table = (more: object) => ({ host: '127.0.0.1', port: 0, ...more });

/** The ports of plain listeners, in the order of the configuration. */
function portsIn(readyLine: string): number[] {
  const { addresses } = JSON.parse(readyLine) as { addresses: string };
  return [...addresses.matchAll(/:(\d+)/g)].map(([, port]) => Number(port));
}

for (const mode of modes) {
  describe(`plain listeners in the mode ${mode}`, () => {
    const tables = [{}, { mountPoint: 'site/' }, { anonymous: false }, {}];
    const listeners = `listeners=${JSON.stringify(tables.map(table))}`;
    const rate = 'limits.listenerConnectsPerSecond=2';
    const broker = useMinnow('--io', mode, '--set', listeners, '--set', rate);
    let ports: number[] = [];
    beforeAll(async () => {
      ports = portsIn(await broker.process.line(/"minnow is ready"/));
    });

    test('each let in as many per second as it may, whoever comes by the others', async () => {
      const [one, other] = ports;
      const codes = await Promise.all(Array.from({ length: 8 }, () => arrive(one!, CONNECT_5)));
      assert.ok(codes.includes(RATE_EXCEEDED), `${codes}`);
      assert.equal(await arrive(other!, CONNECT_5), 0);
    });

    test('say whether a name is wanted', async () => {
      const pub = (port: number) =>
        run([...minnow, 'pub', '-h', '127.0.0.1', '-p', String(port), '-t', 'a', '-m', 'b']);
      const { stderr } = await pub(ports[2]!);
      assert.match(stderr, /not authori[sz]ed/i);
    });

    test('put their mount point in front', async () => {
      const at = (port: number) => ({ ...broker, address: ['-h', '127.0.0.1', '-p', `${port}`] });
      const sub = await minnowSub(at(ports[3]!), '-t', 'site/#');
      const { address } = at(ports[1]!);
      await ok([...minnow, 'pub', ...address, '-t', 'a', '-m', 'b', '-q', '1']);
      await sub.until(() => messages(sub).length === 1, 'the message');
      assert.deepEqual(messages(sub), ['site/a b']);
    });
  });

  describe(`few descriptors in the mode ${mode}`, () => {
    const data = mkdtempSync(join(tmpdir(), 'minnow-listeners-'));
    let broker: Background;
    afterAll(async () => {
      await broker?.end();
      rmSync(data, { recursive: true });
    });

    test('are counted once, for the driver and the doors', async () => {
      const tables = [{}, { proxyProtocol: { from: ['127.0.0.1'] } }].map(table);
      const set = ['--set', `listeners=${JSON.stringify(tables)}`, '--set', 'log.format=json'];
      set.push('--set', 'limits.connectionsMax=1000'); // not what is in the way here
      const serve = [...minnow, 'serve', '--io', mode, '--data', data, ...set];
      broker = new Background(['sh', '-c', 'ulimit -n 150; exec "$@"', 'sh', ...serve]);
      const [plain, door] = portsIn(await broker.line(/"minnow is ready"/));
      const header = Buffer.from('PROXY UNKNOWN\r\n');
      assert.equal(await arrive(door!, header, CONNECT), 0);
      let inside = 0;
      while ((await arrive(plain!, CONNECT)) === 0) inside++;
      assert.ok(inside > 10 && inside < 130, `${inside} are in`);
      await broker.line(/no descriptors left/);
      assert.equal(await arrive(door!, header, CONNECT), null, 'there is no room behind the door');
    });
  });
}
