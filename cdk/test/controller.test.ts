import assert from 'node:assert/strict';
import { cpSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ClusterSet, ControllerIdentity, NorikaeController, type NorikaeControllerProps } from '@norikae/cdk';
import { App, Stack, aws_eks as eks, aws_kms as kms, aws_sqs as sqs } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { imported, kubernetesResource, made, only, properties, read, root, temporary } from './support';

const helmChart = 'Custom::AWSCDK-EKS-HelmChart';

/** A statement as IAM means it: one action, or a list of one, is the same. */
const normal = (statement: { [key: string]: any }) => ({
  ...statement,
  Action: [statement['Action']].flat(),
  Resource: [statement['Resource']].flat(),
});

/** What the controller's role may do. */
function allowed(stack: Stack): object[] {
  const policies = Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
  const own = policies.filter((p) => JSON.stringify(p['Properties'].Roles).includes('ControllerRole'));
  return own.flatMap((p) => p['Properties'].PolicyDocument.Statement).map(normal);
}

const statements = (name: string): { [key: string]: any }[] => JSON.parse(read(`config/iam/${name}.json`)).Statement.map(normal);

function install(cluster: eks.ICluster, stack: Stack, props: Partial<NorikaeControllerProps> = {}): NorikaeController {
  return new NorikaeController(stack, 'Controller', { cluster, ...props });
}

test('the chart is installed with a role by Pod Identity', () => {
  const { stack, cluster } = imported();
  install(cluster, stack);
  const { ChartAssetURL, Values, ...rest } = properties(stack, helmChart);
  assert.deepEqual(rest, {
    ServiceToken: 'arn:aws:lambda:us-east-1:111122223333:function:kubectl',
    ClusterName: 'argocd',
    RoleArn: 'arn:aws:iam::111122223333:role/kubectl',
    Release: 'norikae',
    Namespace: 'norikae',
    CreateNamespace: true,
    Wait: true,
    Timeout: '300s',
  });
  assert.match(JSON.stringify(ChartAssetURL), /s3:\/\//);
  assert.deepEqual(JSON.parse(Values), { argocdNamespace: 'argocd', serviceAccount: { create: true, name: 'norikae' } });

  const [role] = Object.entries(Template.fromStack(stack).findResources('AWS::IAM::Role'))[0]!;
  assert.deepEqual(properties(stack, 'AWS::EKS::PodIdentityAssociation'), {
    ClusterName: 'argocd',
    Namespace: 'norikae',
    ServiceAccount: 'norikae',
    RoleArn: { 'Fn::GetAtt': [role, 'Arn'] },
  });
  assert.deepEqual(properties(stack, 'AWS::IAM::Role')['AssumeRolePolicyDocument'].Statement, [
    { Effect: 'Allow', Principal: { Service: 'pods.eks.amazonaws.com' }, Action: ['sts:AssumeRole', 'sts:TagSession'] },
  ]);
  // Pods get credentials when they start, so all of that comes first.
  const before = only(Template.fromStack(stack).findResources(helmChart))['DependsOn'].map((id: string) => id.replace(/[0-9A-F]{8}$/, ''));
  assert.deepEqual(before, ['ControllerAssociation', 'ControllerRoleDefaultPolicy', 'ControllerRole']);
});

test('the role may do what config/iam/clusterset.json says, and nothing else', () => {
  const { stack, cluster } = imported();
  install(cluster, stack);
  assert.deepEqual(allowed(stack), statements('clusterset'));
});

test('it enters the accounts that are named, or none', () => {
  for (const accountRoles of [['arn:aws:iam::222233334444:role/a', 'arn:aws:iam::333344445555:role/b'], []]) {
    const { stack, cluster } = imported();
    install(cluster, stack, { accountRoles });
    const want = statements('clusterset')
      .map((s) => (s['Sid'] === 'EnterOtherAccounts' ? { ...s, Resource: accountRoles } : s))
      .filter((s) => s['Resource'].length > 0);
    assert.deepEqual(allowed(stack), want);
  }
});

test('a queue of events is read, and only that', () => {
  const { stack, cluster } = imported();
  const eventsQueue = new sqs.Queue(stack, 'Events');
  install(cluster, stack, { eventsQueue });
  const template = Template.fromStack(stack);
  const queue = Object.keys(template.findResources('AWS::SQS::Queue'))[0];
  const more = statements('clusterset-events').map((s) => ({ ...s, Resource: [{ 'Fn::GetAtt': [queue, 'Arn'] }] }));
  assert.deepEqual(allowed(stack), [...statements('clusterset'), ...more]);
  assert.deepEqual(properties(stack, helmChart)['Values'], {
    'Fn::Join': ['', ['{"argocdNamespace":"argocd","eventsQueueURL":"', { Ref: queue }, '","serviceAccount":{"create":true,"name":"norikae"}}']],
  });
});

test('a queue that is encrypted with a key is decrypted', () => {
  const { stack, cluster } = imported();
  install(cluster, stack, { eventsQueue: new sqs.Queue(stack, 'Events', { encryptionMasterKey: new kms.Key(stack, 'Key') }) });
  assert.match(JSON.stringify(allowed(stack)), /kms:Decrypt/);
});

test('with IRSA the service account names the role, which trusts it alone', () => {
  const { stack, cluster } = imported();
  install(cluster, stack, { identity: ControllerIdentity.IRSA, namespace: 'platform' });
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::EKS::PodIdentityAssociation', 0);
  const id = Object.keys(template.findResources('AWS::IAM::Role')).find((r) => r.startsWith('ControllerRole'));
  assert.deepEqual(properties(stack, helmChart)['Values'], {
    'Fn::Join': [
      '',
      [
        '{"argocdNamespace":"argocd","serviceAccount":{"create":true,"name":"norikae","annotations":{"eks.amazonaws.com/role-arn":"',
        { 'Fn::GetAtt': [id, 'Arn'] },
        '"}}}',
      ],
    ],
  });
  const provider = 'oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF';
  const conditions = only(template.findResources('Custom::AWSCDKCfnJson'));
  assert.deepEqual(JSON.parse(conditions['Properties'].Value), {
    [`${provider}:aud`]: 'sts.amazonaws.com',
    [`${provider}:sub`]: 'system:serviceaccount:platform:norikae',
  });
  const [trust] = template.findResources('AWS::IAM::Role')[id!]!['Properties'].AssumeRolePolicyDocument.Statement;
  assert.equal(trust.Action, 'sts:AssumeRoleWithWebIdentity');
  assert.deepEqual(trust.Principal, { Federated: `arn:aws:iam::111122223333:oidc-provider/${provider}` });
  assert.match(JSON.stringify(trust.Condition), /^\{"StringEquals":\{"Fn::GetAtt":\["ControllerConditions/);
});

test('a cluster that the app makes gets the Pod Identity agent, unless it is not to', () => {
  for (const [podIdentityAgent, want] of [
    [undefined, 1],
    [true, 1],
    [false, 0],
  ] as const) {
    const { stack, cluster } = made();
    install(cluster, stack, podIdentityAgent === undefined ? {} : { podIdentityAgent });
    const addons = Template.fromStack(stack).findResources('AWS::EKS::Addon', { Properties: { AddonName: 'eks-pod-identity-agent' } });
    assert.equal(Object.keys(addons).length, want, `${podIdentityAgent}`);
  }
});

test('a cluster that is there already gets it on request', () => {
  for (const [podIdentityAgent, want] of [
    [undefined, 0],
    [true, 1],
  ] as const) {
    const { stack, cluster } = imported();
    install(cluster, stack, podIdentityAgent === undefined ? {} : { podIdentityAgent });
    Template.fromStack(stack).resourceCountIs('AWS::EKS::Addon', want);
  }
});

test('a cluster that the app makes installs the chart with IRSA, too', () => {
  const { stack, cluster } = made();
  install(cluster, stack, { identity: ControllerIdentity.IRSA });
  Template.fromStack(stack).resourceCountIs(helmChart, 1);
});

test('a ClusterSet can wait for the controller', () => {
  const { stack, cluster } = imported();
  const controller = install(cluster, stack);
  const set = new ClusterSet(stack, 'Set', { cluster, metadata: { name: 'a' }, spec: { sources: [{ eks: { regions: ['us-east-1'] } }] } });
  set.node.addDependency(controller);
  const template = Template.fromStack(stack);
  const chart = Object.keys(template.findResources(helmChart))[0]!;
  assert.ok(only(template.findResources(kubernetesResource))['DependsOn'].includes(chart));
});

/** All files below a folder, by path. */
function files(dir: string, below = ''): { [path: string]: string } {
  return Object.assign(
    {},
    ...readdirSync(join(dir, below)).map((name) => {
      const path = join(below, name);
      return statSync(join(dir, path)).isDirectory() ? files(dir, path) : { [path]: readFileSync(join(dir, path), 'utf8') };
    }),
  );
}

test('what is uploaded is charts/norikae, file by file', () => {
  const app = new App({ outdir: temporary() });
  const source = imported();
  const stack = new Stack(app, 'Assets');
  const { serviceToken, roleArn, handlerRole } = source.cluster.kubectlProvider!;
  const kubectlProvider = eks.KubectlProvider.fromKubectlProviderAttributes(stack, 'Kubectl', {
    functionArn: serviceToken,
    kubectlRoleArn: roleArn,
    handlerRole,
  });
  install(eks.Cluster.fromClusterAttributes(stack, 'Cluster', { clusterName: 'argocd', kubectlProvider }), stack);
  const out = app.synth().directory;
  const assets = readdirSync(out).filter((name) => name.startsWith('asset.'));
  assert.equal(assets.length, 1, `${assets}`);
  assert.deepEqual(files(join(out, assets[0]!)), files(join(root, 'charts/norikae')));
});

test('another chart is taken', () => {
  const chart = temporary();
  cpSync(join(root, 'charts/norikae'), chart, { recursive: true });
  writeFileSync(join(chart, 'values.schema.json'), '{"properties": {"replicas": {"maximum": 1}}}');
  const { stack, cluster } = imported();
  install(cluster, stack, { chart, values: { anything: true, replicas: 1 } });
  assert.throws(() => new NorikaeController(stack, 'Other', { cluster, chart, values: { replicas: 2 } }), /values\.replicas = 2: want at most 1/);
});

const refusals: { [name: string]: { props: object; want: string } } = {
  'a value that the chart does not know': { props: { values: { replica: 2 } }, want: 'values.replica: there is no such field; here may stand: global, argocdNamespace,' },
  'too many replicas': { props: { values: { replicas: 11 } }, want: 'values.replicas = 11: want 0–10' },
  'a log level that there is not': { props: { values: { log: { level: 'trace' } } }, want: 'values.log.level = "trace": want debug or info or warn or error' },
  'the port of the probes': { props: { values: { metrics: { port: 8081 } } }, want: 'values.metrics.port = 8081: must NOT be valid' },
  'a namespace in upper case': { props: { namespace: 'Norikae' }, want: 'namespace = "Norikae": want text that matches' },
  'a namespace of Argo CD in upper case': { props: { argocdNamespace: 'Argo' }, want: 'values.argocdNamespace = "Argo": want text that matches' },
  'a value that is a property here': {
    props: { values: { eventsQueueURL: 'https://example.com' } },
    want: 'values.eventsQueueURL: cannot be set here: set eventsQueue beside values',
  },
  'another service account': { props: { values: { serviceAccount: { name: 'x' } } }, want: 'values.serviceAccount: cannot be set here' },
  'an agent of Pod Identity for IRSA': {
    props: { identity: ControllerIdentity.IRSA, podIdentityAgent: true },
    want: 'podIdentityAgent = true: want false: identity is IRSA',
  },
};

for (const [name, { props, want }] of Object.entries(refusals)) {
  test(`${name}: refused`, () => {
    const { stack, cluster } = imported();
    assert.throws(
      () => install(cluster, stack, props),
      (error: Error) => {
        assert.ok(error.message.startsWith(`the NorikaeController at Stack/Controller is not valid:\n  ${want}`), error.message);
        assert.equal(error.message.split('\n').length, 2, error.message);
        return true;
      },
    );
  });
}
