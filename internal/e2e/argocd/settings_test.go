//go:build e2e

package argocd

// argoNamespace is where Argo CD lives on the management cluster.
const argoNamespace = "argocd"

// settings are as little of Argo CD's installation as it works with when it runs without
// its server, which would make the project. The management cluster is no destination.
const settings = `
apiVersion: v1
kind: Namespace
metadata: {name: argocd}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, namespace: argocd, labels: {app.kubernetes.io/part-of: argocd}}
data: {cluster.inClusterEnabled: "false"}
---
apiVersion: v1
kind: Secret
metadata: {name: argocd-secret, namespace: argocd, labels: {app.kubernetes.io/part-of: argocd}}
stringData: {server.secretkey: "no server runs here"}
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: default, namespace: argocd}
spec:
  sourceRepos: ["*"]
  destinations: [{namespace: "*", server: "*"}]
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
`

// workload is what is deployed: objects of several kinds that are Healthy without nodes.
const workload = `
apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data: {greeting: hello}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: shop}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
`

// applicationSet generates an Application for each cluster of production, as
// docs/clusterset.md wants it: an Application that goes leaves its workload behind.
const applicationSet = `
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: shop, namespace: argocd}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  generators:
  - clusters: {selector: {matchLabels: {environment: production}}}
  syncPolicy: {preserveResourcesOnDeletion: true}
  template:
    metadata:
      name: shop-{{.nameNormalized}}
      labels: {ring: '{{index .metadata.labels "ring"}}'}
    spec:
      project: default
      source: {repoURL: "REPOSITORY", targetRevision: HEAD, path: shop}
      destination: {name: "{{.name}}", namespace: shop}
      syncPolicy:
        automated: {prune: true, selfHeal: true}
        syncOptions: [CreateNamespace=true]
`
