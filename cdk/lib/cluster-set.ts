import { type RemovalPolicy, Token, aws_eks as eks } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { type ClusterSetSpec, apiVersion, kind, specSchema } from './generated/cluster-set';
import { declared, nameSchema, namespaceSchema, problems, stringsSchema } from './validate';

/** What names a ClusterSet. */
export interface ClusterSetMetadata {
  /** 1–63 lower-case letters, digits, hyphens and dots; it becomes a label's value. */
  readonly name: string;
  /**
   * Where the controller looks for ClusterSets.
   *
   * @default spec.argocdNamespace, or argocd
   */
  readonly namespace?: string;
  readonly labels?: { readonly [key: string]: string };
  readonly annotations?: { readonly [key: string]: string };
}

/** A ClusterSet and the cluster that it is applied to. */
export interface ClusterSetProps {
  /** The cluster that Argo CD and norikae's controller run on. */
  readonly cluster: eks.ICluster;
  readonly metadata: ClusterSetMetadata;
  readonly spec: ClusterSetSpec;
  /**
   * Take over a ClusterSet of this name that is there already, instead of failing.
   *
   * @default false
   */
  readonly overwrite?: boolean;
  /**
   * What happens to the ClusterSet when it leaves the stack. The cluster Secrets stay
   * either way.
   *
   * @default RemovalPolicy.DESTROY
   */
  readonly removalPolicy?: RemovalPolicy;
}

/**
 * A ClusterSet, applied by the kubectl handler of a cluster. The kind must be there first:
 * add a dependency on the NorikaeController, if that is in the same app.
 */
export class ClusterSet extends Construct {
  /** Name of the ClusterSet. */
  readonly name: string;
  /** Namespace of the ClusterSet. */
  readonly namespace: string;

  constructor(scope: Construct, id: string, props: ClusterSetProps) {
    super(scope, id);
    const spec = declared(props.spec);
    const metadata = declared({ ...props.metadata, namespace: props.metadata.namespace ?? spec.argocdNamespace ?? 'argocd' });
    const bad = [...problems(metadataSchema, metadata, 'metadata'), ...problems(specSchema, spec, 'spec')];
    for (const field of ['name', 'namespace'] as const) {
      // They are part of the resource's identity: see below.
      if (Token.isUnresolved(metadata[field])) {
        bad.push(`metadata.${field}: is known only when it is deployed: give it as text`);
      }
    }
    if (bad.length > 0) {
      throw new Error(`the ClusterSet at ${this.node.path} is not valid:\n  ${bad.join('\n  ')}`);
    }
    this.name = metadata.name;
    this.namespace = metadata.namespace;

    // A ClusterSet with another name or namespace is another resource, so that the earlier
    // one is deleted: an update would forget it, and the two would be in each other's way.
    const manifest = new eks.KubernetesManifest(this, `${this.namespace}.${this.name}`, {
      cluster: props.cluster,
      manifest: [{ apiVersion, kind, metadata, spec }],
      prune: false, // kubectl prunes no custom resources, and this is all there is
      overwrite: props.overwrite ?? false,
      ...(props.removalPolicy && { removalPolicy: props.removalPolicy }),
    });
    this.node.defaultChild = manifest.node.defaultChild!;
  }
}

const metadataSchema = {
  type: 'object',
  required: ['name'],
  properties: { name: nameSchema, namespace: namespaceSchema, labels: stringsSchema, annotations: stringsSchema },
  additionalProperties: false,
} as const;
