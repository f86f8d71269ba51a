// What has to hold between the objects of one release: what one of them calls by a name, another
// has under it.

import assert from 'node:assert/strict';
import { platforms, USER } from '../../targets/image/rootfs.ts';
import type { Data, Thing } from './objects.ts';

/** What the image says that has to be said again. */
export interface ImageFacts {
  readonly User: string;
  readonly Cmd: readonly string[];
  readonly ExposedPorts: object;
  readonly Volumes: object;
  readonly Env: readonly string[];
  readonly Healthcheck: { readonly Test: readonly string[] };
}

export function portsOf(image: ImageFacts): number[] {
  return Object.keys(image.ExposedPorts).map(port => Number.parseInt(port, 10));
}

function of(objects: readonly Thing[], kind: string): Thing {
  return objects.find(object => object.kind === kind);
}

function includes(labels: Data, selector: Data): void {
  assert.ok(Object.keys(selector).length > 0, 'a selector that selects everything');
  for (const [key, value] of Object.entries(selector)) assert.equal(labels[key], value, key);
}

/** Asserts that the objects fit each other and the image. */
export function assertAgreement(objects: readonly Thing[], image: ImageFacts): void {
  assert.ok(platforms.length > 0);
  const deployment = of(objects, 'Deployment');
  const { template, selector, strategy, replicas } = deployment.spec;
  const pod = template.spec;
  const [container, ...more] = pod.containers;
  assert.deepEqual(more, []);

  for (const { metadata } of objects) includes(metadata.labels, template.metadata.labels);
  includes(template.metadata.labels, selector.matchLabels);
  for (const object of objects) selects(object, template.metadata.labels, container);

  // A store has one owner.
  assert.deepEqual([replicas, strategy.type], [1, 'Recreate']);

  // The image's own ports, user, command and health check.
  const opened = container.ports.map((port: Data) => port.containerPort);
  for (const port of portsOf(image)) assert.ok(opened.includes(port), `port ${port}`);
  assert.deepEqual(container.args, image.Cmd);
  const { runAsUser, runAsGroup, fsGroup, runAsNonRoot } = pod.securityContext;
  assert.deepEqual([runAsUser, runAsGroup, fsGroup, runAsNonRoot], [USER, USER, USER, true]);
  assert.deepEqual(container.livenessProbe.exec.command, image.Healthcheck.Test.slice(1));
  const named = container.ports.map((port: Data) => port.name);
  for (const probe of [container.startupProbe, container.readinessProbe]) {
    assert.ok(named.includes(probe.tcpSocket.port));
  }

  assertMounts(objects, pod, container, image);
}

/** Whoever selects selects this pod, and whoever names a port names one of its ports. */
function selects(object: Thing, labels: Data, container: Data): void {
  const names = container.ports.map((port: Data) => port.name);
  const { spec } = object;
  if (object.kind === 'Service') {
    includes(labels, spec.selector);
    for (const port of spec.ports) assert.ok(names.includes(port.targetPort), port.targetPort);
    assert.equal(spec.ports.length, names.length);
  } else if (object.kind === 'PodDisruptionBudget') includes(labels, spec.selector.matchLabels);
  else if (object.kind === 'NetworkPolicy') {
    includes(labels, spec.podSelector.matchLabels);
    const ports = spec.ingress.flatMap((rule: Data) => rule.ports.map((port: Data) => port.port));
    assert.deepEqual(ports, names);
  }
}

function assertMounts(objects: readonly Thing[], pod: Data, container: Data, image: ImageFacts) {
  const volume = (name: string) => pod.volumes.find((one: Data) => one.name === name);
  const mounts = new Map<string, Data>(
    container.volumeMounts.map((mount: Data) => [mount.mountPath, volume(mount.name)]),
  );
  assert.equal(mounts.size, pod.volumes.length);
  for (const folder of Object.keys(image.Volumes)) {
    const claim = mounts.get(folder)?.persistentVolumeClaim.claimName;
    const made = of(objects, 'PersistentVolumeClaim');
    if (made !== undefined) assert.equal(claim, made.metadata.name);
    else assert.equal(typeof claim, 'string');
  }
  const file = image.Env.find(line => line.startsWith('MINNOW_CONFIG='))!.split('=')[1]!;
  const [, folder, name] = /^(.*)\/([^/]*)$/.exec(file)!;
  const settings = of(objects, 'ConfigMap');
  assert.equal(mounts.get(folder!)?.configMap.name, settings.metadata.name);
  assert.deepEqual(Object.keys(settings.data), [name]);
  // Whoever mounts a folder without its subPath gets its changes.
  for (const mount of container.volumeMounts) assert.equal(mount.subPath, undefined);
}
