import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CfnJson, Duration, type aws_sqs as sqs, aws_eks as eks, aws_iam as iam, aws_s3_assets as assets } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import * as policies from './generated/iam';
import { declared, namespaceSchema, problems } from './validate';

/** How the controller gets the credentials of its role. */
export enum ControllerIdentity {
  /** EKS Pod Identity; needs the add-on eks-pod-identity-agent. */
  POD_IDENTITY = 'PodIdentity',
  /** The cluster's OpenID Connect provider. */
  IRSA = 'IRSA',
}

/** The controller and the cluster that it runs on. */
export interface NorikaeControllerProps {
  /** The cluster that Argo CD runs on. */
  readonly cluster: eks.ICluster;
  /**
   * Namespace of Argo CD. It must be there.
   *
   * @default argocd
   */
  readonly argocdNamespace?: string;
  /**
   * Namespace of the controller; it is made.
   *
   * @default norikae
   */
  readonly namespace?: string;
  /** @default ControllerIdentity.POD_IDENTITY */
  readonly identity?: ControllerIdentity;
  /**
   * Whether to install the add-on eks-pod-identity-agent. EKS refuses that where it is
   * installed already.
   *
   * @default with Pod Identity, if the cluster is made in this app
   */
  readonly podIdentityAgent?: boolean;
  /**
   * Roles of other accounts that ClusterSets name (accounts[].roleARN); [] for none.
   *
   * @default roles of any account whose names begin with norikae-
   */
  readonly accountRoles?: readonly string[];
  /**
   * Queue of CloudTrail's EKS events, so that the controller looks at once.
   *
   * @default none
   */
  readonly eventsQueue?: sqs.IQueue;
  /**
   * More of the chart's values, such as image; checked against its values.schema.json.
   *
   * @default none
   */
  readonly values?: { readonly [key: string]: unknown };
  /**
   * Folder of the chart.
   *
   * @default the one of this package
   */
  readonly chart?: string;
  /**
   * How long to wait until the controller is ready, at most 15 minutes. Then a failed start
   * is a failed deployment.
   *
   * @default Duration.minutes(5)
   */
  readonly timeout?: Duration;
}

const release = 'norikae';

// Values that the construct sets, and by which property.
const ownValues: { [value: string]: string } = {
  argocdNamespace: 'set argocdNamespace beside values',
  eventsQueueURL: 'set eventsQueue beside values',
  serviceAccount: 'its role is bound to the service account that the construct names',
};

/**
 * norikae's controller, installed with its Helm chart, and a role that may do what
 * config/iam/clusterset.json says.
 */
export class NorikaeController extends Construct {
  readonly role: iam.Role;
  readonly helmChart: eks.HelmChart;

  constructor(scope: Construct, id: string, props: NorikaeControllerProps) {
    super(scope, id);
    const namespace = props.namespace ?? 'norikae';
    const chart = props.chart ?? join(__dirname, 'chart');
    const irsa = props.identity === ControllerIdentity.IRSA;

    const more = declared(props.values ?? {});
    const values = {
      ...more,
      argocdNamespace: props.argocdNamespace ?? 'argocd',
      ...(props.eventsQueue && { eventsQueueURL: props.eventsQueue.queueUrl }),
    };
    const bad = [
      ...problems(namespaceSchema, namespace, 'namespace'),
      ...Object.keys(more).flatMap((key) => (ownValues[key] ? [`values.${key}: cannot be set here: ${ownValues[key]}`] : [])),
      ...problems(valuesSchema(chart), values, 'values'),
    ];
    if (irsa && props.podIdentityAgent) {
      bad.push('podIdentityAgent = true: want false: identity is IRSA');
    }
    if (!irsa && props.cluster instanceof eks.FargateCluster) {
      bad.push('identity = PodIdentity: want IRSA: there is no Pod Identity on Fargate');
    }
    if (bad.length > 0) {
      throw new Error(`the NorikaeController at ${this.node.path} is not valid:\n  ${bad.join('\n  ')}`);
    }

    this.role = irsa ? this.irsaRole(props.cluster, namespace) : this.podIdentityRole(props, namespace);
    for (const statement of statements(props.accountRoles)) {
      this.role.addToPolicy(statement);
    }
    if (props.eventsQueue) {
      for (const statement of policies.clustersetEvents.Statement) {
        this.role.addToPolicy(iam.PolicyStatement.fromJson({ ...statement, Resource: props.eventsQueue.queueArn }));
      }
      props.eventsQueue.encryptionMasterKey?.grantDecrypt(this.role);
    }

    this.helmChart = new eks.HelmChart(this, 'Chart', {
      cluster: props.cluster,
      chartAsset: new assets.Asset(this, 'ChartAsset', { path: chart }),
      release,
      namespace,
      values: {
        ...values,
        serviceAccount: {
          create: true,
          name: release,
          ...(irsa && { annotations: { 'eks.amazonaws.com/role-arn': this.role.roleArn } }),
        },
      },
      wait: true,
      timeout: props.timeout ?? Duration.minutes(5),
    });
    // Pods get their credentials when they start.
    for (const before of this.node.children.filter((c) => c !== this.helmChart && c.node.id !== 'ChartAsset')) {
      this.helmChart.node.addDependency(before);
    }
  }

  private irsaRole(cluster: eks.ICluster, namespace: string): iam.Role {
    const provider = cluster.openIdConnectProvider;
    // The issuer is known only later, and so cannot be a key of this template.
    const conditions = new CfnJson(this, 'Conditions', {
      value: {
        [`${provider.openIdConnectProviderIssuer}:aud`]: 'sts.amazonaws.com',
        [`${provider.openIdConnectProviderIssuer}:sub`]: `system:serviceaccount:${namespace}:${release}`,
      },
    });
    return new iam.Role(this, 'Role', {
      assumedBy: new iam.OpenIdConnectPrincipal(provider).withConditions({ StringEquals: conditions }),
    });
  }

  private podIdentityRole(props: NorikaeControllerProps, namespace: string): iam.Role {
    const principal = new iam.ServicePrincipal('pods.eks.amazonaws.com');
    const role = new iam.Role(this, 'Role', { assumedBy: new iam.SessionTagsPrincipal(principal) });
    const association = new eks.CfnPodIdentityAssociation(this, 'Association', {
      clusterName: props.cluster.clusterName,
      namespace,
      serviceAccount: release,
      roleArn: role.roleArn,
    });
    if (props.podIdentityAgent ?? props.cluster instanceof eks.Cluster) {
      association.node.addDependency(
        props.cluster.eksPodIdentityAgent ?? // one for all, of a cluster that is made in this app
          new eks.Addon(this, 'Agent', { cluster: props.cluster, addonName: 'eks-pod-identity-agent' }),
      );
    }
    return role;
  }
}

function statements(accountRoles: readonly string[] | undefined): iam.PolicyStatement[] {
  return policies.clusterset.Statement.flatMap((statement) => {
    if (statement.Sid !== 'EnterOtherAccounts' || accountRoles === undefined) {
      return [iam.PolicyStatement.fromJson(statement)];
    }
    return accountRoles.length === 0 ? [] : [iam.PolicyStatement.fromJson({ ...statement, Resource: accountRoles })];
  });
}

function valuesSchema(chart: string): object {
  const file = join(chart, 'values.schema.json');
  if (!existsSync(file)) {
    return {};
  }
  const { $schema: _, ...schema } = JSON.parse(readFileSync(file, 'utf8')); // ajv knows draft 7 by one URL only
  return schema;
}
