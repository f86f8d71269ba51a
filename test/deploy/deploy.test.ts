// targets/deploy: Compose, manifests for Kubernetes and the Helm chart. Neither an engine nor a
// cluster is here: held against each other and against the image is what the files say, and the
// configuration in them against minnow itself.

import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { imageConfig } from '../../targets/image/build.ts';
import { DATA, platforms, USER } from '../../targets/image/rootfs.ts';
import { missingPrograms } from '../../targets/packages.ts';
import { readStamp } from '../../targets/stamp.ts';
import { afterAll, describe, skipped, test } from '../harness.ts';
import { Background, endChildren, minnow, ok } from '../integration/process.ts';
import { assertAgreement, portsOf } from './agreement.ts';
import {
  chartFile,
  chartYaml,
  deploy,
  manifests,
  project,
  readYaml,
  renderChart,
  renderObjects,
} from './objects.ts';

const { version } = packageJson;
const image = imageConfig(platforms[0]!, [], readStamp()).config;
const scratch = mkdtempSync(join(tmpdir(), 'minnow-deploy-'));
afterAll(endChildren);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Has minnow itself check a configuration. */
async function assertRight(toml: string): Promise<void> {
  const file = join(scratch, 'minnow.toml');
  writeFileSync(file, toml);
  const { stdout } = await ok([...minnow, 'check-config', '--config', file]);
  assert.match(stdout.toString(), /the configuration is right/);
}

describe('Compose', () => {
  const compose = readYaml('targets/deploy/compose.yaml');
  const service = compose.services.minnow;

  test('runs the image of this version, with what the image needs', () => {
    assert.equal(service.image, `minnow:${version}`);
    assert.equal(service.user, `${USER}:${USER}`);
    const published = service.ports.map((port: string) => Number(port.split(':')[1]));
    assert.deepEqual(published, portsOf(image));
    const [volume, ...more] = service.volumes;
    assert.deepEqual(more, []);
    const [name, folder] = volume.split(':');
    assert.deepEqual([folder, name in compose.volumes], [DATA, true]);
    assert.deepEqual(Object.keys(compose.volumes), [name]);
  });

  test('asks after its health as the image says', () => {
    const { Test, Interval, Timeout, StartPeriod, Retries } = image.Healthcheck;
    const seconds = (text: string) => Number(/^(\d+)s$/.exec(text)![1]) * 1e9;
    const { healthcheck } = service;
    assert.deepEqual(healthcheck.test, Test);
    assert.equal(seconds(healthcheck.interval), Interval);
    assert.equal(seconds(healthcheck.timeout), Timeout);
    assert.equal(seconds(healthcheck.start_period), StartPeriod);
    assert.equal(healthcheck.retries, Retries);
  });

  test('gives it no rights, nothing to write but its data, and no secret in the environment', () => {
    assert.equal(service.read_only, true);
    assert.deepEqual(service.cap_drop, ['ALL']);
    assert.deepEqual(service.security_opt, ['no-new-privileges:true']);
    assert.ok(!('environment' in service) && !('env_file' in service));
  });
});

test('the Containerfile says what the image of make image says', () => {
  const text = readFileSync(join(project, 'targets', 'image', 'Containerfile'), 'utf8');
  const lines = text.replaceAll('\\\n', ' ').matchAll(/^([A-Z]+) +(.+)$/gm);
  const said = [...lines].map(([, word, rest]) => [word!, rest!.replaceAll(/ +/g, ' ')] as const);
  const all = (word: string) => said.filter(([name]) => name === word).map(([, rest]) => rest);
  const only = (word: string) => all(word)[0]!;
  const { Test, Interval, Timeout, StartPeriod, Retries } = image.Healthcheck;
  const seconds = (ns: number) => `${ns / 1e9}s`;
  const flags = [
    `--interval=${seconds(Interval)} --timeout=${seconds(Timeout)}`,
    `--start-period=${seconds(StartPeriod)} --retries=${Retries}`,
  ];
  const [kind, ...check] = Test;
  const list = (words: readonly string[]) => JSON.stringify(words).replaceAll('","', '", "');
  assert.equal(only('FROM'), 'scratch');
  assert.deepEqual(
    all('ADD'),
    ['base', 'program'].map(at => `\${TARGETARCH}/${at}.tar.gz /`),
  );
  assert.equal(only('USER'), image.User);
  assert.deepEqual(only('ENV').split(' '), image.Env);
  assert.equal(only('WORKDIR'), image.WorkingDir);
  assert.deepEqual(JSON.parse(only('VOLUME')), Object.keys(image.Volumes));
  assert.deepEqual(all('EXPOSE'), Object.keys(image.ExposedPorts));
  assert.equal(only('STOPSIGNAL'), image.StopSignal);
  assert.equal(only('HEALTHCHECK'), `${flags.join(' ')} ${kind} ${list(check)}`);
  assert.deepEqual(JSON.parse(only('ENTRYPOINT')), image.Entrypoint);
  assert.deepEqual(JSON.parse(only('CMD')), image.Cmd);
});

describe('manifests for Kubernetes', () => {
  const files = manifests();
  const objects = [...files.values()];

  test('agree with each other and with the image', () => {
    const kinds = objects.map(({ kind }) => kind).sort();
    assert.deepEqual(kinds, [
      'ConfigMap',
      'Deployment',
      'NetworkPolicy',
      'PersistentVolumeClaim',
      'PodDisruptionBudget',
      'Service',
    ]);
    assertAgreement(objects, image);
  });

  test('disagree when a name is changed in one place', () => {
    for (const [kind, change] of disagreements) {
      const changed = structuredClone(objects);
      change(changed.find(object => object.kind === kind));
      assert.throws(() => assertAgreement(changed, image), `${kind}: ${change}`);
    }
  });

  test('are restricted as Pod Security Standards want it', () => {
    const pod = files.get('deployment.yaml').spec.template.spec;
    const [{ securityContext }] = pod.containers;
    assert.equal(securityContext.allowPrivilegeEscalation, false);
    assert.equal(securityContext.readOnlyRootFilesystem, true);
    assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] });
    assert.equal(pod.securityContext.seccompProfile.type, 'RuntimeDefault');
    assert.deepEqual([pod.automountServiceAccountToken, pod.enableServiceLinks], [false, false]);
  });

  test('run the image of this version, all of them but the optional one by kustomization', () => {
    const { resources, images } = readYaml('targets/deploy/kubernetes/kustomization.yaml');
    const optional = 'network-policy.yaml';
    assert.deepEqual([...resources, optional].sort(), [...files.keys()].sort());
    assert.deepEqual(images, [{ name: 'minnow', newName: 'minnow', newTag: version }]);
    const [container] = files.get('deployment.yaml').spec.template.spec.containers;
    assert.equal(container.image, `minnow:${version}`);
  });

  test('bring a configuration that minnow takes', async () => {
    const toml: string = files.get('configmap.yaml').data['minnow.toml'];
    await assertRight(toml);
    // What is kept lies in the volume, and the store out of the folder that is watched.
    const [, data] = /^data = "(.*)"$/m.exec(toml)!;
    const [, passwords] = /^passwordFile = "(.*)"$/m.exec(toml)!;
    assert.deepEqual([dirname(data!), dirname(passwords!)], [DATA, DATA]);
  });
});

// biome-ignore lint/suspicious/noExplicitAny: whatever an object has
const disagreements: readonly [string, (object: any) => void][] = [
  ['Service', ({ spec }) => (spec.selector['app.kubernetes.io/name'] = 'other')],
  ['Service', ({ spec }) => (spec.ports[0].targetPort = 'http')],
  ['PodDisruptionBudget', ({ spec }) => (spec.selector.matchLabels = {})],
  ['PersistentVolumeClaim', ({ metadata }) => (metadata.name = 'other')],
  ['ConfigMap', ({ metadata }) => (metadata.name = 'other')],
  ['ConfigMap', object => (object.data = { 'mosquitto.conf': '' })],
  ['NetworkPolicy', ({ spec }) => (spec.ingress[0].ports = [])],
  ['Deployment', ({ spec }) => (spec.strategy.type = 'RollingUpdate')],
  ['Deployment', ({ spec }) => (spec.replicas = 2)],
  ['Deployment', ({ spec }) => (spec.template.spec.securityContext.fsGroup = 0)],
  ['Deployment', ({ spec }) => (spec.template.spec.containers[0].ports[0].containerPort = 1)],
];

describe('the Helm chart', () => {
  const tls = { tls: { secretName: 'certificate' } };

  test('gives by itself what the plain manifests are', () => {
    const plain = manifests();
    plain.delete('network-policy.yaml');
    assert.deepEqual(sorted(renderObjects()), sorted(plain));
    const policy = renderObjects({ networkPolicy: { enabled: true } }).get('network-policy.yaml');
    assert.deepEqual(policy, manifests().get('network-policy.yaml'));
  });

  test('agrees with itself under another name and with everything said', () => {
    const values = {
      ...tls,
      networkPolicy: { enabled: true },
      service: { type: 'LoadBalancer', annotations: { a: 'b' } },
      persistence: { storageClassName: 'local-path' },
      imagePullSecrets: [{ name: 'pull' }],
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ key: 'edge' }],
    };
    const objects = [...renderObjects(values, 'plant').values()];
    assert.equal(objects.length, 6);
    assertAgreement(objects, image);
    for (const { metadata } of objects) assert.equal(metadata.name, 'plant-minnow');
    const pod = objects.find(({ kind }) => kind === 'Deployment').spec.template.spec;
    assert.deepEqual(pod.nodeSelector, { disk: 'ssd' });
    assert.deepEqual(pod.tolerations, [{ key: 'edge' }]);
    assert.deepEqual(pod.imagePullSecrets, [{ name: 'pull' }]);
  });

  test('takes a volume that is there already', () => {
    const objects = [...renderObjects({ persistence: { existingClaim: 'mine' } }).values()];
    assert.ok(!objects.some(({ kind }) => kind === 'PersistentVolumeClaim'));
    assertAgreement(objects, image);
  });

  const tomlOf = (values: object): string =>
    renderObjects(values).get('configmap.yaml').data['minnow.toml'];

  test('brings a configuration that minnow takes', async () => {
    await assertRight(tomlOf({}));
  });

  const withTls = 'brings a configuration with a certificate that minnow takes';
  if (missingPrograms(['openssl']).length > 0) skipped(withTls, 'no openssl here');
  else {
    test(withTls, async () => {
      const keys = join(scratch, 'tls');
      mkdirSync(keys);
      const pair = ['-keyout', join(keys, 'tls.key'), '-out', join(keys, 'tls.crt')];
      const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-subj', '/CN=minnow'];
      await ok(['openssl', 'req', '-x509', '-nodes', '-days', '30', ...kind, ...pair]);
      await assertRight(tomlOf(tls).replaceAll('/tls/', `${keys}/`));
    });
  }

  test('has a schema that its values fit, and whose every value is there', () => {
    const schema = JSON.parse(chartFile('values.schema.json'));
    const check = z.fromJSONSchema(schema);
    const values = chartYaml('values.yaml');
    check.parse(values);
    assert.deepEqual(keysOf(schema).sort(), Object.keys(values).sort());
    for (const wrong of [{ replicas: 2 }, { service: { type: 'Lodbalancer' } }, { config: '' }]) {
      assert.ok(!check.safeParse(wrong).success, JSON.stringify(wrong));
    }
  });

  test('says how to read the first token, and is of this version', () => {
    const notes = renderChart({}, 'plant').get('NOTES.txt')!;
    assert.match(notes, /kubectl --namespace default logs deployment\/plant-minnow/);
    const { version: own, appVersion } = chartYaml('Chart.yaml');
    assert.deepEqual([own, appVersion], [version, version]);
  });
});

describe('a configuration that a kubelet brings', () => {
  test('is taken over when it brings another', async () => {
    const folder = join(scratch, 'volume');
    const bring = (name: string, level: string) => {
      mkdirSync(join(folder, name), { recursive: true });
      const toml = manifests().get('configmap.yaml').data['minnow.toml'];
      writeFileSync(join(folder, name, 'minnow.toml'), `${toml}\n[log]\nlevel = "${level}"\n`);
      symlinkSync(name, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    bring('..1', 'info');
    symlinkSync('..data/minnow.toml', join(folder, 'minnow.toml'));
    const broker = new Background([
      ...[...minnow, 'serve', '--config', join(folder, 'minnow.toml'), '--first-user'],
      ...['--data', join(scratch, 'data'), '--listen', '127.0.0.1:0'],
      ...['--set', `auth.passwordFile=${join(scratch, 'passwords')}`],
    ]);
    await broker.line(/minnow is ready/);
    bring('..2', 'debug');
    await broker.line(/log\.level/);
    assert.equal(await broker.end(), 0);
  });
});

/** But for those that hold anything. */
const keysOf = (schema: { properties: object }) =>
  Object.keys(schema.properties).filter(key => key !== 'global');

const sorted = (files: ReadonlyMap<string, object>) =>
  [...files].sort(([a], [b]) => a.localeCompare(b));

test('everything in targets/deploy is looked at here', () => {
  assert.deepEqual(readdirSync(deploy).sort(), ['compose.yaml', 'helm', 'kubernetes']);
});
