// The bill of materials of a target, as CycloneDX 1.6 in JSON. The same components give the same
// bytes: its serial number comes from its contents, its time is the commit's.

import { createHash } from 'node:crypto';
import manifest from '../../package.json' with { type: 'json' };
import type { Stamp } from '../stamp.ts';
import type { Component } from './components.ts';

/** The document, with a newline at its end. */
export function sbom(target: string, stamp: Stamp, components: readonly Component[]): string {
  const self = `pkg:generic/minnow@${stamp.version}?target=${target}`;
  const contents = {
    metadata: {
      timestamp: new Date(stamp.epoch * 1000).toISOString(),
      component: {
        type: 'application',
        'bom-ref': self,
        name: 'minnow',
        version: stamp.version,
        description: manifest.description,
        licenses: [{ license: { id: manifest.license } }],
        purl: self,
        properties: [
          { name: 'minnow:target', value: target },
          { name: 'minnow:commit', value: stamp.commit },
        ],
      },
    },
    components: components.map(describe),
    dependencies: [
      { ref: self, dependsOn: components.map(({ purl }) => purl) },
      ...components.map(({ purl }) => ({ ref: purl })),
    ],
  };
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(contents))}`,
    version: 1,
    ...contents,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function describe({ name, version, license, purl, sha512, kind }: Component): object {
  const isExpression = / (WITH|OR|AND) /.test(license);
  return {
    type: kind,
    'bom-ref': purl,
    name,
    version,
    scope: 'required',
    ...(sha512 !== null && { hashes: [{ alg: 'SHA-512', content: sha512 }] }),
    licenses: [isExpression ? { expression: license } : { license: { id: license } }],
    purl,
  };
}

/** A UUID of version 8, which may be made of anything. */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [0, 8, 12, 16, 20].map((at, i, all) => hex.slice(at, all[i + 1])).join('-');
}
