import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'node:test';
import * as cdk from '@norikae/cdk';
import { parse } from 'yaml';
import { read, root } from './support';

interface Generator {
  generate(): Map<string, string>;
  ofCRD(crd: object, from: string): string;
}
const generator = import(pathToFileURL(join(root, 'cdk/scripts/generate.mjs')).href) as Promise<Generator>;

test('the generated files are those of config/crd and config/iam', async () => {
  const want = (await generator).generate();
  assert.deepEqual(readdirSync(join(root, 'cdk/lib/generated')).sort(), [...want.keys()].sort(), 'run npm run generate in cdk');
  for (const [name, text] of want) {
    assert.ok(read(`cdk/lib/generated/${name}`) === text, `cdk/lib/generated/${name} is out of date: run npm run generate in cdk`);
  }
});

test('every kind that has a CustomResourceDefinition has a construct', () => {
  const kinds = readdirSync(join(root, 'config/crd'))
    .map((name) => parse(read(`config/crd/${name}`)))
    .filter((crd) => crd.kind === 'CustomResourceDefinition')
    .map((crd) => crd.spec.names.kind as string);
  assert.ok(kinds.includes('ClusterSet'), `only ${kinds}`);
  for (const kind of kinds) {
    assert.equal(typeof (cdk as Record<string, unknown>)[kind], 'function', kind);
  }
});

test('every generated type is exported', () => {
  const names = [...read('cdk/lib/generated/cluster-set.ts').matchAll(/^export interface (\w+)/gm)].map((m) => m[1]!);
  const exported = [...read('cdk/lib/index.ts').matchAll(/^ {2}type (\w+),/gm)].map((m) => m[1]!);
  assert.deepEqual(exported.sort(), names.sort());
});

test('the generator passes over nothing that it does not know', async () => {
  const { ofCRD } = await generator;
  const crd = (spec: object) => ({
    spec: {
      scope: 'Namespaced',
      group: 'norikae.dev',
      names: { kind: 'X' },
      versions: [{ name: 'v1', storage: true, schema: { openAPIV3Schema: { properties: { spec } } } }],
    },
  });
  const field = (a: object) => crd({ type: 'object', properties: { a } });
  assert.match(ofCRD(field({ type: 'string' }), 'x'), /readonly a\?: string;/);
  assert.throws(() => ofCRD(field({ type: 'integer', multipleOf: 2 }), 'x'), /X\.spec\.a: .* multipleOf: 2/);
  assert.throws(() => ofCRD(field({ type: 'string', format: 'date-time' }), 'x'), /format: "date-time"/);
  assert.throws(() => ofCRD(field({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true }), 'x'), /nothing is said/);
  assert.throws(() => ofCRD(field({ type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'map' }), 'x'), /lists of type map/);
});

test('the lock file names no host', () => {
  for (const path of ['cdk/package-lock.json', 'cdk/.npmrc', 'examples/aws-cdk/.npmrc']) {
    assert.doesNotMatch(read(path), /"resolved"|^registry/m, path);
  }
});

test('versions are exact, and the example has the same', () => {
  const own = JSON.parse(read('cdk/package.json'));
  const example = JSON.parse(read('examples/aws-cdk/package.json'));
  const pinned = { ...own.dependencies, ...own.devDependencies };
  for (const [name, version] of Object.entries<string>({ ...pinned, ...example.dependencies, ...example.devDependencies })) {
    if (name === '@norikae/cdk') continue;
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
    assert.equal(version, pinned[name] ?? version, name);
  }
});
