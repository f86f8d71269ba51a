// The one place that knows which test runner is underneath: bun:test on Bun, node:test on Node.
// Suites import from here and from node:assert only, so that the same files run on both.

type Body = () => void | Promise<void>;

interface Runner {
  describe(name: string, body: () => void): void;
  test(name: string, body: Body, timeoutMs?: number): void;
  /** A case that cannot run on this machine: it is reported as skipped, with the reason. */
  skipped(name: string, reason: string): void;
  beforeAll(body: Body): void;
  afterAll(body: Body): void;
  beforeEach(body: Body): void;
  afterEach(body: Body): void;
}

/** What a test may take of which nothing else is said, and whatever comes before and after tests: a
 *  bound for what hangs, far beyond what anything takes on a machine with much else to do. */
const boundMs = 120_000;

async function bunRunner(): Promise<Runner> {
  const t = await import('bun:test');
  const { skip } = t.test;
  return {
    describe: (name, body) => t.describe(name, body),
    test: (name, body, timeoutMs = boundMs) => t.test(name, body, timeoutMs),
    skipped: (name, reason) => skip(`${name} (skipped: ${reason})`, () => {}),
    beforeAll: body => t.beforeAll(body, boundMs),
    afterAll: body => t.afterAll(body, boundMs),
    beforeEach: body => t.beforeEach(body, boundMs),
    afterEach: body => t.afterEach(body, boundMs),
  };
}

async function nodeRunner(): Promise<Runner> {
  const t = await import('node:test');
  const bound = { timeout: boundMs };
  return {
    describe: (name, body) => void t.describe(name, body),
    test: (name, body, timeoutMs = boundMs) => void t.test(name, { timeout: timeoutMs }, body),
    skipped: (name, reason) =>
      void t.test(`${name} (skipped: ${reason})`, { skip: true }, () => {}),
    beforeAll: body => t.before(body, bound),
    afterAll: body => t.after(body, bound),
    beforeEach: body => t.beforeEach(body, bound),
    afterEach: body => t.afterEach(body, bound),
  };
}

const runner = 'Bun' in globalThis ? await bunRunner() : await nodeRunner();

export const { describe, test, skipped, beforeAll, afterAll, beforeEach, afterEach } = runner;

/** The seed of a randomised suite: `MINNOW_SEED` replays a failure, otherwise fresh each time. */
export function freshSeed(): number {
  const given = process.env.MINNOW_SEED;
  return given ? Number.parseInt(given, 10) >>> 0 : (Math.random() * 2 ** 32) >>> 0;
}

/** How much longer than in `make test` a randomised suite runs: `make soak` raises it, and it is a
 *  quarter where test/run.ts says that a suite is too slow to run in full on Node as well. */
export const rounds = Math.max(0.25, Number.parseFloat(process.env.MINNOW_ROUNDS ?? '1') || 1);
