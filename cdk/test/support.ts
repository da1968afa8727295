import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack, aws_ec2 as ec2, aws_eks as eks, aws_iam as iam } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { KubectlV34Layer } from '@aws-cdk/lambda-layer-kubectl-v34';

/** The folder of the whole project; tests run in cdk/build/cdk/test. */
export const root = join(__dirname, '../../../..');

export const read = (path: string): string => readFileSync(join(root, path), 'utf8');

export const kubernetesResource = 'Custom::AWSCDK-EKS-KubernetesResource';

/** A folder that is gone when the tests of this file are done. */
export function temporary(): string {
  const dir = mkdtempSync(join(tmpdir(), 'norikae-cdk-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
process.setMaxListeners(0); // one for each folder

/** A stack with a cluster that is there already, and whose kubectl handler is, too. */
export function imported(): { stack: Stack; cluster: eks.ICluster } {
  const stack = new Stack(new App({ outdir: temporary() }), 'Stack');
  const kubectlProvider = eks.KubectlProvider.fromKubectlProviderAttributes(stack, 'Kubectl', {
    functionArn: 'arn:aws:lambda:us-east-1:111122223333:function:kubectl',
    kubectlRoleArn: 'arn:aws:iam::111122223333:role/kubectl',
    handlerRole: iam.Role.fromRoleArn(stack, 'Handler', 'arn:aws:iam::111122223333:role/handler'),
  });
  const provider = iam.OpenIdConnectProvider.fromOpenIdConnectProviderArn(
    stack,
    'OIDC',
    'arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF',
  );
  const cluster = eks.Cluster.fromClusterAttributes(stack, 'Cluster', {
    clusterName: 'argocd',
    kubectlProvider,
    openIdConnectProvider: provider,
  });
  return { stack, cluster };
}

/** A stack that makes its cluster. */
export function made(): { stack: Stack; cluster: eks.Cluster } {
  const stack = new Stack(new App({ outdir: temporary() }), 'Stack');
  const cluster = new eks.Cluster(stack, 'Cluster', {
    version: eks.KubernetesVersion.V1_34,
    kubectlLayer: new KubectlV34Layer(stack, 'Kubectl'),
    vpc: new ec2.Vpc(stack, 'VPC'),
    defaultCapacity: 0,
  });
  return { stack, cluster };
}

/** The only value of an object. */
export function only<T>(of: { [key: string]: T }): T {
  const values = Object.values(of);
  if (values.length !== 1) {
    throw new Error(`${values.length} of them, want 1: ${Object.keys(of).join(', ')}`);
  }
  return values[0]!;
}

/** The properties of the only resource of a type. */
export function properties(stack: Stack, type: string): { [key: string]: any } {
  return only(Template.fromStack(stack).findResources(type))['Properties'];
}
