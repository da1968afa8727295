import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ClusterSet, type ClusterSetMetadata, type ClusterSetProps, type ClusterSetSpec } from '@norikae/cdk';
import { type App, Aws, CfnParameter, Lazy, RemovalPolicy, Stack, Token, aws_iam as iam } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { parse } from 'yaml';
import { imported, kubernetesResource, made, only, properties, read, root } from './support';

const metadata = { name: 'production', namespace: 'argocd' };
const spec: ClusterSetSpec = { sources: [{ eks: { regions: ['us-east-1'] } }] };

const examples = readdirSync(join(root, 'examples')).filter((name) => /^clusterset.*\.yaml$/.test(name));

test('there are examples to compare with', () => assert.ok(examples.length >= 4, `only ${examples}`));

for (const name of examples) {
  test(`examples/${name} is applied exactly as it is`, () => {
    const want = parse(read(`examples/${name}`));
    const { stack, cluster } = imported();
    new ClusterSet(stack, 'Set', { cluster, metadata: want.metadata, spec: want.spec });
    assert.deepEqual(properties(stack, kubernetesResource), {
      ServiceToken: 'arn:aws:lambda:us-east-1:111122223333:function:kubectl',
      ClusterName: 'argocd',
      RoleArn: 'arn:aws:iam::111122223333:role/kubectl',
      Manifest: JSON.stringify([want]),
      Overwrite: false,
    });
  });
}

test('a cluster that the app makes applies it, too', () => {
  const { stack, cluster } = made();
  new ClusterSet(stack, 'Set', { cluster, metadata, spec });
  const { ClusterName, Manifest, PruneLabel } = properties(stack, kubernetesResource);
  const template = Template.fromStack(stack);
  assert.deepEqual(ClusterName, { Ref: Object.keys(template.findResources('Custom::AWSCDK-EKS-Cluster'))[0] });
  assert.equal(PruneLabel, undefined);
  assert.deepEqual(JSON.parse(Manifest), [{ apiVersion: 'norikae.dev/v1alpha1', kind: 'ClusterSet', metadata, spec }]);
});

test('it is in the namespace of Argo CD unless it says another', () => {
  for (const [want, meta, argocdNamespace] of [
    ['argocd', {}, undefined],
    ['gitops', {}, 'gitops'],
    ['team-a', { namespace: 'team-a' }, 'gitops'],
  ] as const) {
    const { stack, cluster } = imported();
    const set = new ClusterSet(stack, 'Set', {
      cluster,
      metadata: { name: 'production', ...meta },
      spec: { ...spec, ...(argocdNamespace && { argocdNamespace }) },
    });
    assert.equal(JSON.parse(properties(stack, kubernetesResource)['Manifest'])[0].metadata.namespace, want);
    assert.deepEqual([set.namespace, set.name], [want, 'production']);
  }
});

test('another name or namespace is another resource, another spec is not', () => {
  const id = (meta: ClusterSetMetadata, s: ClusterSetSpec) => {
    const { stack, cluster } = imported();
    new ClusterSet(stack, 'Set', { cluster, metadata: meta, spec: s });
    return Object.keys(Template.fromStack(stack).findResources(kubernetesResource)).join();
  };
  const here = id(metadata, spec);
  assert.equal(id(metadata, { ...spec, suspend: true }), here);
  assert.notEqual(id({ ...metadata, name: 'staging' }, spec), here);
  assert.notEqual(id({ ...metadata, namespace: 'team-a' }, spec), here);
});

test('fields that are undefined are left out', () => {
  const { stack, cluster } = imported();
  new ClusterSet(stack, 'Set', { cluster, metadata, spec: { ...spec, template: { project: undefined } } });
  assert.deepEqual(JSON.parse(properties(stack, kubernetesResource)['Manifest'])[0].spec, { ...spec, template: {} });
});

test('overwrite and removalPolicy reach the resource', () => {
  const { stack, cluster } = imported();
  new ClusterSet(stack, 'Set', { cluster, metadata, spec, overwrite: true, removalPolicy: RemovalPolicy.RETAIN });
  const resource = only(Template.fromStack(stack).findResources(kubernetesResource));
  assert.equal(resource['Properties'].Overwrite, true);
  assert.equal(resource['DeletionPolicy'], 'Retain');
});

test('values that are known only when it is deployed are taken as they are', () => {
  const { stack, cluster } = imported();
  const role = new iam.Role(stack, 'Role', { assumedBy: new iam.AccountRootPrincipal() });
  new ClusterSet(stack, 'Set', {
    cluster,
    metadata,
    spec: {
      sources: [
        {
          eks: {
            regions: [Aws.REGION],
            accounts: [{ roleARN: role.roleArn }, { roleARN: `arn:aws:iam::${Aws.ACCOUNT_ID}:role/norikae` }],
            selector: { names: Lazy.list({ produce: () => ['prod-*'] }) },
          },
        },
      ],
      deletion: { maxPercent: new CfnParameter(stack, 'Percent', { type: 'Number' }).valueAsNumber },
      template: Lazy.any({ produce: () => ({ project: 'production' }) }) as unknown as object,
    },
  });
  const ref = Object.keys(Template.fromStack(stack).findResources('AWS::IAM::Role'))[0];
  assert.deepEqual(properties(stack, kubernetesResource)['Manifest'], {
    'Fn::Join': [
      '',
      [
        '[{"apiVersion":"norikae.dev/v1alpha1","kind":"ClusterSet","metadata":{"name":"production","namespace":"argocd"},"spec":{"sources":[{"eks":{"regions":["',
        { Ref: 'AWS::Region' },
        '"],"accounts":[{"roleARN":"',
        { 'Fn::GetAtt': [ref, 'Arn'] },
        '"},{"roleARN":"arn:aws:iam::',
        { Ref: 'AWS::AccountId' },
        ':role/norikae"}],"selector":{"names":["prod-*"]}}}],"deletion":{"maxPercent":',
        { Ref: 'Percent' },
        '},"template":{"project":"production"}}}]',
      ],
    ],
  });
});

/** A spec with something else at one place. */
const withEKS = (eksSource: object): object => ({ sources: [{ eks: { regions: ['us-east-1'], ...eksSource } }] });
const many = (n: number, one: (i: number) => string) => Array.from({ length: n }, (_, i) => one(i));

// What is refused: the field, the value, what is allowed.
const refusals: { [name: string]: { metadata?: object; spec?: object; want: string[] } } = {
  'no sources': { spec: { sources: undefined }, want: ['spec.sources: is missing'] },
  'an empty list of sources': { spec: { sources: [] }, want: ['spec.sources: has 0 entries, want 1–20'] },
  'a source without regions': { spec: { sources: [{ eks: {} }] }, want: ['spec.sources[0].eks.regions: is missing'] },
  'more than 40 regions': {
    spec: withEKS({ regions: many(41, (i) => `us-east-${i}`) }),
    want: ['spec.sources[0].eks.regions: has 41 entries, want 1–40'],
  },
  'a region that is none': {
    spec: withEKS({ regions: ['us-east-1', 'Ireland'] }),
    want: ['spec.sources[0].eks.regions[1] = "Ireland": want text that matches ^[a-z]{2,4}(-[a-z]+)+-[0-9]+$'],
  },
  'a region twice': {
    spec: withEKS({ regions: ['us-east-1', 'eu-west-1', 'us-east-1'] }),
    want: ['spec.sources[0].eks.regions[2] = "us-east-1": stands at spec.sources[0].eks.regions[0] already'],
  },
  'a source that is not EKS': {
    spec: { sources: [{ eks: { regions: ['us-east-1'] }, gke: {} }] },
    want: ['spec.sources[0].gke: there is no such field; here may stand: eks'],
  },
  'an account without a role, one with a user': {
    spec: withEKS({ accounts: [{}, { roleARN: 'arn:aws:iam::444455556666:user/jane' }] }),
    want: [
      'spec.sources[0].eks.accounts[0].roleARN: is missing',
      'spec.sources[0].eks.accounts[1].roleARN = "arn:aws:iam::444455556666:user/jane": want text that matches ^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$',
    ],
  },
  'a field in the wrong case': {
    spec: withEKS({ accounts: [{ roleARN: 'arn:aws:iam::444455556666:role/x', externalId: 'norikae' }] }),
    want: ['spec.sources[0].eks.accounts[0].externalId: there is no such field; here may stand: externalID, roleARN'],
  },
  'an external ID of one character': {
    spec: withEKS({ accounts: [{ roleARN: 'arn:aws:iam::444455556666:role/x', externalID: 'x' }] }),
    want: ['spec.sources[0].eks.accounts[0].externalID = "x": want 2–1224 characters, not 1'],
  },
  'an operator that there is not': {
    spec: withEKS({ selector: { matchExpressions: [{ key: 'env', operator: 'in' }] } }),
    want: ['spec.sources[0].eks.selector.matchExpressions[0].operator = "in": want In or NotIn or Exists or DoesNotExist'],
  },
  'a number where a tag belongs': {
    spec: withEKS({ selector: { matchTags: { 'example.com/tier': 1 } } }),
    want: ['spec.sources[0].eks.selector.matchTags["example.com/tier"] = 1: want text'],
  },
  'a policy that there is not': { spec: { ...spec, deletion: { policy: 'delete' } }, want: ['spec.deletion.policy = "delete": want Retain or Delete'] },
  'more than all clusters': { spec: { ...spec, deletion: { maxPercent: 101 } }, want: ['spec.deletion.maxPercent = 101: want 0–100'] },
  'fewer clusters than none': { spec: { ...spec, deletion: { keepLast: -1 } }, want: ['spec.deletion.keepLast = -1: want 0 or more'] },
  'half a cluster': { spec: { ...spec, deletion: { keepLast: 0.5 } }, want: ['spec.deletion.keepLast = 0.5: want an integer'] },
  'a number beyond 32 bits': {
    spec: { ...spec, deletion: { keepLast: 2 ** 31 } },
    want: ['spec.deletion.keepLast = 2147483648: want what int32 can hold'],
  },
  'an interval in words': {
    spec: { ...spec, interval: 'half a minute' },
    want: ['spec.interval = "half a minute": want text that matches ^([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+$'],
  },
  'an interval without a unit': { spec: { ...spec, interval: 60 }, want: ['spec.interval = 60: want text'] },
  'a truth value where none is': { spec: { ...spec, probe: { enabled: 'yes' } }, want: ['spec.probe.enabled = "yes": want true or false'] },
  'more than 50 labels': {
    spec: { ...spec, template: { labels: Object.fromEntries(many(51, String).map((s) => [s, s])) } },
    want: ['spec.template.labels: has 51 entries, want at most 50'],
  },
  'tags of target groups, but none': {
    spec: { ...spec, template: { targetGroups: { tags: {} } } },
    want: ['spec.template.targetGroups.tags: has 0 entries, want 1–50'],
  },
  null: { spec: { ...spec, template: { shard: null } }, want: ['spec.template.shard = null: want an integer'] },
  'no name': { metadata: {}, want: ['metadata.name: is missing'] },
  'a name of 64 characters': { metadata: { name: 'a'.repeat(64) }, want: [`metadata.name = "${'a'.repeat(64)}": want at most 63 characters, not 64`] },
  'a name in upper case': {
    metadata: { name: 'Production' },
    want: ['metadata.name = "Production": want text that matches ^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'],
  },
  'a name that is known only later': {
    metadata: { name: Aws.REGION },
    want: ['metadata.name: is known only when it is deployed: give it as text'],
  },
  'a field of the server': {
    metadata: { name: 'production', uid: 'x' },
    want: ['metadata.uid: there is no such field; here may stand: name, namespace, labels, annotations'],
  },
  'something wrong beside what is known only later': {
    spec: { ...withEKS({ regions: [Aws.REGION] }), deletion: { maxPercent: 101 }, interval: Token.asString({ Ref: 'x' }) },
    want: ['spec.deletion.maxPercent = 101: want 0–100'],
  },
};

for (const [name, bad] of Object.entries(refusals)) {
  test(`${name}: refused`, () => {
    const { stack, cluster } = imported();
    const props = { cluster, metadata: bad.metadata ?? metadata, spec: bad.spec ?? spec } as unknown as ClusterSetProps;
    assert.throws(
      () => new ClusterSet(stack, 'Set', props),
      (error: Error) => {
        assert.equal(error.message, `the ClusterSet at Stack/Set is not valid:\n  ${bad.want.join('\n  ')}`);
        return true;
      },
    );
  });
}

test('the compiler refuses much of it already', () => {
  const take = (_: ClusterSetSpec) => undefined;
  // @ts-expect-error: no sources
  take({});
  // @ts-expect-error: a policy that there is not
  take({ ...spec, deletion: { policy: 'delete' } });
  // @ts-expect-error: a field in the wrong case
  take({ ...spec, argoCDNamespace: 'argocd' });
  // @ts-expect-error: a number is no duration
  take({ ...spec, interval: 60 });
});

test('what only the API server checks is left to it', () => {
  const { stack, cluster } = imported();
  new ClusterSet(stack, 'Set', { cluster, metadata, spec: { ...spec, interval: '1s', auth: { eksARN: true, exec: {} } } });
});

test('it may be in another stack than the cluster', () => {
  const { stack, cluster } = made();
  const other = new Stack(stack.node.root as App, 'Other');
  new ClusterSet(other, 'Set', { cluster, metadata, spec });
  const { ClusterName, Manifest } = properties(other, kubernetesResource);
  assert.match(JSON.stringify(ClusterName), /Fn::ImportValue/);
  assert.deepEqual(JSON.parse(Manifest)[0].spec, spec);
});
