// .github/workflows: whatever they call is in the repository, they may do no more than they have
// to, and no job that may write runs anything of the repository.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { targetNames } from '../../targets/target.ts';
import { describe, test } from '../harness.ts';
import { type Data, project, readYaml } from './objects.ts';

const folder = '.github/workflows';
const workflows = new Map<string, Data>(
  readdirSync(join(project, folder)).map(name => [name, readYaml(folder, name)]),
);
const makefile = readFileSync(join(project, 'Makefile'), 'utf8');

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Data;
}

const jobsOf = (workflow: Data): [string, Data][] => Object.entries(workflow.jobs);
const stepsOf = (job: Data): Step[] => job.steps ?? [];
const scriptsOf = (workflow: Data): string[] =>
  jobsOf(workflow).flatMap(([, job]) => stepsOf(job).flatMap(({ run }) => run ?? []));

/** What a script calls by `make`, and what it names of the repository. */
function calledBy(script: string): { targets: string[]; paths: string[] } {
  const targets = [...script.matchAll(/\bmake ((?:[a-z][a-z-]*(?: |$))+)/gm)].flatMap(([, words]) =>
    words!.trim().split(' '),
  );
  const paths = [...script.matchAll(/(?<![\w/.-])((?:\.|\.ci|targets|test|openwrt)\/[\w./-]+)/g)];
  return { targets, paths: paths.map(([path]) => path.replace(/^\.\//, '')) };
}

function assertCalled(script: string): void {
  const { targets, paths } = calledBy(script);
  for (const target of targets) {
    assert.match(makefile, new RegExp(`^${target}:`, 'm'), `make ${target}`);
  }
  for (const path of paths) assert.ok(existsSync(join(project, path)), path);
}

describe('workflows', () => {
  for (const [name, workflow] of workflows) {
    test(`${name} calls what is there`, () => {
      const scripts = scriptsOf(workflow);
      for (const script of scripts) assertCalled(script);
      for (const [, job] of jobsOf(workflow)) {
        if (job.uses === undefined) continue;
        const called = /^\.\/\.github\/workflows\/(.*)$/.exec(job.uses)![1]!;
        assert.ok('workflow_call' in workflows.get(called).on, job.uses);
      }
    });

    test(`${name} names actions by their major versions`, () => {
      for (const [, job] of jobsOf(workflow)) {
        for (const { uses } of stepsOf(job)) {
          if (uses !== undefined) assert.match(uses, /^actions\/[a-z-]+@v\d+$/);
        }
      }
    });

    test(`${name} may read only, and what may write runs nothing of the repository`, () => {
      assert.deepEqual(workflow.permissions, { contents: 'read' });
      for (const [, job] of jobsOf(workflow)) {
        if (job.permissions === undefined) continue;
        const scripts = stepsOf(job).map(({ run }) => run ?? '');
        assert.ok(!stepsOf(job).some(({ uses }) => uses?.startsWith('actions/checkout')));
        for (const script of scripts) {
          const { targets, paths } = calledBy(script);
          assert.deepEqual([...targets, ...paths], []);
        }
      }
    });

    test(`${name} puts nothing of others into a script, keeps no token, and ends`, () => {
      for (const script of scriptsOf(workflow)) assert.doesNotMatch(script, /\$\{\{/);
      for (const [, job] of jobsOf(workflow)) {
        if (job.uses === undefined) assert.equal(typeof job['timeout-minutes'], 'number');
        for (const step of stepsOf(job)) {
          if (!step.uses?.startsWith('actions/checkout')) continue;
          assert.equal(step.with['persist-credentials'], false);
        }
      }
    });

    test(`${name} needs jobs that are there, and takes what one of them has left`, () => {
      const all = jobsOf(workflow);
      const left = [...workflows.values()].flatMap(uploads);
      for (const [, job] of all) {
        for (const need of [job.needs ?? []].flat()) assert.ok(need in workflow.jobs, need);
        for (const step of stepsOf(job)) {
          if (!step.uses?.startsWith('actions/download-artifact')) continue;
          const wanted = step.with.name ?? step.with.pattern;
          assert.ok(left.includes(wanted), wanted);
        }
      }
    });
  }

  test('there are tests, builds and a release', () => {
    assert.deepEqual([...workflows.keys()].sort(), ['build.yml', 'release.yml', 'test.yml']);
  });

  test('every target is built and tried', () => {
    const { strategy } = workflows.get('build.yml').jobs.target;
    assert.deepEqual(strategy.matrix.target.toSorted(), targetNames());
  });

  test('the tests are those of this project, on the oldest Node that it takes', () => {
    const scripts = scriptsOf(workflows.get('test.yml')).join('\n');
    assert.match(scripts, /\.ci\/run$/m);
    const versions = [...workflows.values()].flatMap(workflow =>
      jobsOf(workflow).flatMap(([, job]) =>
        stepsOf(job).flatMap(({ uses, with: said }) =>
          uses?.startsWith('actions/setup-node') ? said['node-version'] : [],
        ),
      ),
    );
    assert.deepEqual([...new Set(versions)], [20]);
  });

  test('a release has everything that is made, with sums and with where it comes from', () => {
    const { package: made, publish } = workflows.get('release.yml').jobs;
    const scripts = stepsOf(made).map(({ run }) => run ?? '');
    const { targets } = calledBy(scripts.join('\n'));
    assert.ok(targets.includes('release'));
    assert.match(makefile, /^release: dist deb openwrt image /m);
    const kept = stepsOf(made).find(({ uses }) => uses?.includes('upload-artifact'));
    assert.equal(kept!.with!.path, 'dist/release');
    const attests = stepsOf(publish).find(({ uses }) => uses?.includes('attest-build-provenance'));
    assert.equal(attests!.with['subject-path'], 'release/*');
  });

  test('a target or a path that is not there is noticed', () => {
    for (const script of ['make disst', 'sudo make dist nothing', '.ci/runn', 'cp targets/no x']) {
      assert.throws(() => assertCalled(script));
    }
  });
});

/** The names under which jobs leave files, a matrix' as a pattern. */
function uploads(workflow: Data): string[] {
  return jobsOf(workflow).flatMap(([, job]) =>
    stepsOf(job).flatMap(({ uses, with: said }) =>
      uses?.startsWith('actions/upload-artifact')
        ? said.name.replace(/\$\{\{ matrix\.\w+ \}\}/, '*')
        : [],
    ),
  );
}
