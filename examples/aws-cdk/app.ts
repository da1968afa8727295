import { ClusterSet, NorikaeController } from '@norikae/cdk';
import { KubectlV34Layer } from '@aws-cdk/lambda-layer-kubectl-v34';
import { App, Stack, aws_eks as eks } from 'aws-cdk-lib';

const app = new App();
const stack = new Stack(app, 'Norikae');

// The cluster that Argo CD runs on; the role is one that kubectl may use there.
const cluster = eks.Cluster.fromClusterAttributes(stack, 'ArgoCD', {
  clusterName: 'argocd',
  kubectlRoleArn: 'arn:aws:iam::111122223333:role/argocd-kubectl',
  kubectlLayer: new KubectlV34Layer(stack, 'Kubectl'),
});

const accountRoles = ['arn:aws:iam::222233334444:role/norikae-discovery', 'arn:aws:iam::333344445555:role/norikae-discovery'];

const controller = new NorikaeController(stack, 'Controller', {
  cluster,
  accountRoles,
  values: { image: { repository: '111122223333.dkr.ecr.us-east-1.amazonaws.com/norikae', tag: '0.1.0' } },
});

const production = new ClusterSet(stack, 'Production', {
  cluster,
  metadata: { name: 'production', namespace: 'argocd' },
  spec: {
    sources: [
      {
        eks: {
          regions: ['us-east-1', 'eu-west-1'],
          accounts: accountRoles.map((roleARN) => ({ roleARN, externalID: 'norikae' })),
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
});
production.node.addDependency(controller); // it brings the kind
