// Logs under virtual time and through sinks that take what the test lets them take.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execArgv, execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import type { LogConfig } from '../src/config/config.ts';
import { WINDOW_MS } from '../src/log/bursts.ts';
import type { LogClock } from '../src/log/clock.ts';
import { escapeControls, valueText } from '../src/log/text.ts';
import type { Sink } from '../src/log/writer.ts';
import { createLogger, type LogOutput, type RootLogger } from '../src/log.ts';
import { describe, freshSeed, test } from './harness.ts';

const CONFIG: LogConfig = { level: 'info', format: 'json', levels: {}, burst: 3 };

class VirtualClock implements LogClock {
  private now = 0;
  private timers: { at: number; task: () => void }[] = [];

  wall(): number {
    return Date.UTC(2026, 0, 2, 3, 4, 5, 6) + this.now;
  }

  monotonic(): number {
    return this.now;
  }

  later(ms: number, task: () => void): void {
    this.timers.push({ at: this.now + ms, task });
  }

  advance(ms: number): void {
    this.now += ms;
    const due = this.timers.filter(timer => timer.at <= this.now);
    this.timers = this.timers.filter(timer => timer.at > this.now);
    for (const { task } of due) task();
  }

  get armed(): number {
    return this.timers.length;
  }
}

/** Takes everything at once while open; otherwise holds on to the write until it is let go. */
class TestSink implements Sink {
  text = '';
  open = true;
  private held: (() => void)[] = [];

  write(bytes: Uint8Array, done: Parameters<Sink['write']>[1]): void {
    const take = () => {
      this.text += Buffer.from(bytes).toString();
      done(null, bytes.length);
    };
    if (this.open) take();
    else this.held.push(take);
  }

  release(): void {
    this.open = true;
    for (const take of this.held.splice(0)) take();
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }

  get records(): Record<string, unknown>[] {
    return this.lines.map(line => JSON.parse(line));
  }
}

interface Rig {
  log: RootLogger;
  sink: TestSink;
  clock: VirtualClock;
}

function rig(config: Partial<LogConfig> = {}, output: LogOutput = {}): Rig {
  const clock = new VirtualClock();
  const sink = new TestSink();
  const log = createLogger(
    { ...CONFIG, ...config },
    { sink, clock, terminal: false, colours: false, ...output },
  );
  return { log, sink, clock };
}

describe('what a line looks like', () => {
  test('JSON: level, time, module, fields, message', () => {
    const { log, sink } = rig();
    log.child('core').warn('refused', { clientId: 'a', port: 1, will: true, user: null });
    assert.deepEqual(sink.records, [
      {
        level: 'warn',
        time: '2026-01-02T03:04:05.006Z',
        module: 'core',
        clientId: 'a',
        port: 1,
        will: true,
        user: null,
        msg: 'refused',
      },
    ]);
  });

  test('text: one line, values quoted where they need it', () => {
    const { log, sink } = rig({ format: 'text' });
    log.info('connect', {
      clientId: 'two words',
      peer: '[::1]:5',
      n: 3,
      none: null,
      absent: undefined,
    });
    assert.equal(
      sink.text,
      '2026-01-02T03:04:05.006Z info  main    connect ' +
        'clientId="two words" peer=[::1]:5 n=3 none=null\n',
    );
  });

  test('auto is text on a terminal and JSON elsewhere', () => {
    for (const terminal of [true, false]) {
      const { log, sink } = rig({ format: 'auto' }, { terminal });
      log.info('hello');
      assert.equal(sink.text.startsWith('{'), !terminal);
    }
  });

  test('colours stand around the label only when asked for', () => {
    const coloured = rig({ format: 'text' }, { terminal: true, colours: true });
    coloured.log.error('x');
    assert.ok(coloured.sink.text.includes('\x1b[31merror\x1b[0m'));
    const plain = rig({ format: 'text' }, { terminal: true });
    plain.log.error('x');
    assert.ok(!plain.sink.text.includes('\x1b'));
  });

  test('long values are cut and say so', () => {
    const { log, sink } = rig();
    log.info('x', { topic: 't'.repeat(60_000) });
    const topic = String(sink.records[0].topic);
    assert.ok(topic.length < 300);
    assert.match(topic, /… \(60000 characters\)$/);
  });
});

describe('levels', () => {
  test('a module can have one of its own', () => {
    const { log, sink } = rig({ levels: { core: 'debug', io: 'silent' } });
    log.debug('main debug');
    log.child('core').debug('core debug');
    log.child('io').error('io error');
    assert.deepEqual(
      sink.records.map(r => r.msg),
      ['core debug'],
    );
    assert.equal(log.shows('debug'), false);
    assert.equal(log.child('core').shows('debug'), true);
  });

  test('they change while running, for loggers handed out before too', () => {
    const { log, sink } = rig();
    const core = log.child('core');
    core.debug('before');
    log.reconfigure({ ...CONFIG, level: 'debug' });
    core.debug('after');
    assert.deepEqual(
      sink.records.map(r => r.msg),
      ['after'],
    );
  });
});

describe('foreign text stays inside its line', () => {
  const nasty = 'a\nlevel=error\r\x1b[2J\u009b31m\u2028\u202e\ud800"\\\0';

  test('in text and in JSON nothing a terminal obeys is left', () => {
    for (const format of ['text', 'json'] as const) {
      const { log, sink } = rig({ format });
      log.info('connect', { clientId: nasty });
      assert.equal(sink.lines.length, 1, format);
      assert.doesNotMatch(sink.lines[0], /[\p{C}\u2028\u2029]/u, format);
    }
  });

  test('JSON still says exactly what it was', () => {
    const { log, sink } = rig();
    log.info('connect', { clientId: nasty });
    assert.equal(sink.records[0].clientId, nasty);
  });

  test('any text at all', () => {
    const check = fc.property(fc.string({ unit: 'binary' }), value => {
      assert.doesNotMatch(valueText(value), /[\p{C}\u2028\u2029]/u);
      const line = `${JSON.stringify({ value })}\n`;
      const escaped = escapeControls(line);
      assert.doesNotMatch(escaped.slice(0, -1), /[\p{Cc}\u2028\u2029\u202a-\u202e]/u);
      assert.deepEqual(JSON.parse(escaped), { value });
    });
    fc.assert(check, { seed: freshSeed() });
  });
});

describe('bursts', () => {
  const flood = (rigged: Rig, count: number) => {
    for (let i = 0; i < count; i++) rigged.log.warn('refused', { reason: 'busy', n: i });
  };

  test('the first few are shown, the rest is counted when the window ends', () => {
    const r = rig();
    flood(r, 4_815);
    assert.equal(r.sink.records.length, 3);
    r.clock.advance(WINDOW_MS);
    const last = r.sink.records[3];
    assert.equal(last.msg, 'refused: … 4,812 more like this in 10 s');
    assert.equal(last.level, 'warn');
    assert.equal(r.clock.armed, 0);
  });

  test('the next window starts afresh', () => {
    const r = rig();
    flood(r, 4);
    r.clock.advance(WINDOW_MS);
    flood(r, 4);
    assert.equal(r.sink.records.length, 3 + 1 + 3);
    r.clock.advance(WINDOW_MS);
    assert.equal(r.sink.records.length, 3 + 1 + 3 + 1);
  });

  test('another reason, message or module is another cause', () => {
    const { log, sink } = rig({ burst: 1 });
    for (let i = 0; i < 5; i++) {
      log.info('a', { reason: 'x' });
      log.info('a', { reason: 'y' });
      log.info('b', { reason: 'x' });
      log.child('io').info('a', { reason: 'x' });
    }
    assert.equal(sink.records.length, 4);
  });

  test('debug is never held back', () => {
    const { log, sink } = rig({ level: 'debug' });
    for (let i = 0; i < 50; i++) log.debug('packet');
    assert.equal(sink.records.length, 50);
  });

  test('a flush reports what is still held', async () => {
    const r = rig();
    flood(r, 10);
    await r.log.flush(1_000);
    assert.match(String(r.sink.records[3].msg), /… 7 more like this/);
  });

  test('causes are bounded: past a thousand they share one window', () => {
    const { log, sink } = rig({ burst: 1 });
    for (let i = 0; i < 5_000; i++) log.info('x', { reason: `made up ${i}` });
    assert.equal(sink.records.length, 1_001);
  });
});

describe('a standard output that nobody reads', () => {
  test('lines wait up to a bound, then they are dropped, counted and reported', () => {
    const { log, sink } = rig({ level: 'debug' });
    sink.open = false;
    for (let i = 0; i < 50_000; i++) log.debug('line', { i });
    assert.equal(sink.text, '');
    sink.release();
    const records = sink.records;
    const report = records.find(r => r.msg === 'standard output was blocked, log lines were lost');
    assert.equal(records.length - 1 + Number(report?.dropped), 50_000);
    assert.ok(Number(report?.dropped) > 0);
    assert.ok(sink.text.length < 2 * 1024 * 1024);
  });

  test('a flush ends at its bound', async () => {
    const { log, sink, clock } = rig();
    sink.open = false;
    log.info('x');
    let flushed = false;
    const flush = log.flush(500).then(() => {
      flushed = true;
    });
    clock.advance(499);
    await Promise.resolve();
    assert.equal(flushed, false);
    clock.advance(1);
    await flush;
  });

  test('partial writes and a passing EAGAIN lose nothing', () => {
    const clock = new VirtualClock();
    let text = '';
    let calls = 0;
    const sink: Sink = {
      write(bytes, done) {
        if (calls++ % 2 === 0) {
          done(Object.assign(new Error('again'), { code: 'EAGAIN' }), 0);
        } else {
          const some = bytes.subarray(0, 7);
          text += Buffer.from(some).toString('latin1');
          done(null, some.length);
        }
      },
    };
    const log = createLogger(CONFIG, { sink, clock, terminal: false });
    log.info('hello', { a: 'b' });
    while (clock.armed > 0) clock.advance(1_000);
    assert.equal(JSON.parse(text).msg, 'hello');
  });

  test('a reader who is gone for good ends the logging, not the broker', async () => {
    const { log, clock } = rig(
      {},
      { sink: { write: (_, done) => done(Object.assign(new Error(), { code: 'EPIPE' }), 0) } },
    );
    log.info('one');
    log.info('two');
    await log.flush(1_000);
    assert.equal(clock.armed, 0);
  });

  test('a real pipe that is full does not hold up the process', () => {
    const program = fileURLToPath(new URL('./log/flood.ts', import.meta.url));
    // The shell's right-hand side holds the pipe open, reads nothing, and ends with the left.
    const script = '{ "$@"; echo $? >&2; echo end > "$0"; } | read -r never < "$0"';
    const directory = mkdtempSync(join(tmpdir(), 'minnow-'));
    const fifo = join(directory, 'end');
    spawnSync('mkfifo', [fifo]);
    const run = spawnSync('sh', ['-c', script, fifo, execPath, ...execArgv, program], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    rmSync(directory, { recursive: true });
    assert.equal(run.stderr, 'the process went on0\n');
  });
});
