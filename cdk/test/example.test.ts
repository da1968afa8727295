import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { kubernetesResource, only, read, root, temporary } from './support';

const app = join(root, 'cdk/build/examples/aws-cdk/app.js');

/** Synthesizes as the CDK's command line does, which gives the folder by the environment. */
function synth(file: string): { [type: string]: any[] } {
  const out = temporary();
  execFileSync(process.execPath, [file], { env: { PATH: process.env['PATH'], CDK_OUTDIR: out }, stdio: 'pipe' });
  const template = JSON.parse(readFileSync(join(out, 'Norikae.template.json'), 'utf8'));
  const byType: { [type: string]: any[] } = {};
  for (const resource of Object.values<any>(template.Resources)) {
    (byType[resource.Type] ??= []).push(resource.Properties);
  }
  return byType;
}

test('examples/aws-cdk synthesizes without credentials', () => {
  const resources = synth(app);
  const roles = ['arn:aws:iam::222233334444:role/norikae-discovery', 'arn:aws:iam::333344445555:role/norikae-discovery'];
  assert.equal(resources['Custom::AWSCDK-EKS-HelmChart']?.length, 1);
  assert.equal(resources[kubernetesResource]?.length, 1);
  assert.deepEqual(JSON.parse(resources[kubernetesResource]![0].Manifest), [
    {
      apiVersion: 'norikae.dev/v1alpha1',
      kind: 'ClusterSet',
      metadata: { name: 'production', namespace: 'argocd' },
      spec: {
        sources: [
          {
            eks: {
              regions: ['us-east-1', 'eu-west-1'],
              accounts: roles.map((roleARN) => ({ roleARN, externalID: 'norikae' })),
              selector: { matchTags: { environment: 'production' } },
            },
          },
        ],
        template: {
          labels: { environment: '{{ .Tags.environment }}', region: '{{ .Region }}' },
          targetGroups: { name: '{{ .Name }}-*' },
        },
        deletion: { policy: 'Delete', grace: '1h' },
      },
    },
  ]);
  const [policy] = resources['AWS::IAM::Policy']!;
  const enter = policy.PolicyDocument.Statement.find((s: { Sid: string }) => s.Sid === 'EnterOtherAccounts');
  assert.deepEqual(enter.Resource, roles);
  only({ association: resources['AWS::EKS::PodIdentityAssociation']! });
});

test('the page shows code of the example', () => {
  const blocks = [...read('cdk/README.md').matchAll(/```ts\n([^]*?)```/g)].map((m) => m[1]!);
  assert.ok(blocks.length > 0);
  const lines = new Set(read('examples/aws-cdk/app.ts').split('\n'));
  for (const line of blocks.join('').split('\n')) {
    assert.ok(lines.has(line), `cdk/README.md: not in examples/aws-cdk/app.ts: ${line}`);
  }
});
