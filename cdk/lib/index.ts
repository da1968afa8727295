export * from './cluster-set';
export * from './controller';
export {
  type ClusterSetAuth,
  type ClusterSetAuthAwsAuthConfig,
  type ClusterSetAuthExec,
  type ClusterSetDeletion,
  type ClusterSetProbe,
  type ClusterSetSource,
  type ClusterSetSourceEks,
  type ClusterSetSourceEksAccount,
  type ClusterSetSourceEksSelector,
  type ClusterSetSourceEksSelectorExclude,
  type ClusterSetSourceEksSelectorMatchExpression,
  type ClusterSetSpec,
  type ClusterSetTemplate,
  type ClusterSetTemplateTargetGroups,
} from './generated/cluster-set';
