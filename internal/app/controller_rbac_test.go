package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/kubetest"
)

// grant what config/rbac grants to the user, in the namespaces of a test.
func grant(t *testing.T, c *kubetest.Cluster, user, own string, without ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	namespaces := map[string]string{"": c.Namespace, "argocd": c.Namespace, "norikae": own}
	for doc := range strings.SplitSeq(string(text), "---\n") {
		var role rbacv1.Role
		if err := yaml.Unmarshal([]byte(doc), &role); err != nil {
			t.Fatal(err)
		}
		if len(role.Rules) == 0 {
			continue
		}
		for i, r := range role.Rules {
			role.Rules[i].Verbs = slices.DeleteFunc(r.Verbs, func(verb string) bool { return slices.Contains(without, verb+" "+r.Resources[0]) })
		}
		role.Rules = slices.DeleteFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return len(r.Verbs) == 0 })
		role.ObjectMeta = metav1.ObjectMeta{GenerateName: "controller-", Namespace: namespaces[role.Namespace]}
		if err := c.Client.Create(t.Context(), &role); err != nil {
			t.Fatal(err)
		}
		if err := c.Client.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "controller-", Namespace: role.Namespace},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: c.Namespace + ":" + user}},
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// installed is a cluster with the controller's user, who has its roles but for some verbs,
// and the namespace that the controller is in.
func installed(t *testing.T, without ...string) (admin, user *kubetest.Cluster, own string) {
	t.Helper()
	admin = kubernetes.Cluster(t)
	own = admin.NewNamespace(t)
	user = admin.As(t, "controller")
	grant(t, admin, "controller", own, without...)
	// The API server learns of roles in its own time; the lease's was bound last.
	until(t, "role", func() bool { return may(t, user, "create", own) || may(t, user, "update", own) })
	return admin, user, own
}

// may the user do something to leases?
func may(t *testing.T, user *kubetest.Cluster, verb, namespace string) bool {
	t.Helper()
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Verb: verb, Group: "coordination.k8s.io", Resource: "leases", Namespace: namespace,
	}}}
	if err := user.Client.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

func TestTheRolesAreEnoughAndNoMoreThanThat(t *testing.T) {
	t.Parallel()
	admin, user, own := installed(t)
	r := control(t, user, everyWrite, leaseIn(own))
	cs := declareSet(t, admin, "fleet", nil)
	if ready := readyOf(t, admin, cs); ready.Reason != "Succeeded" {
		t.Errorf("%+v\n%s", ready, r.log.String())
	}
	until(t, "event", func() bool {
		out, ok := admin.Kubectl(t, "", "get", "events.events.k8s.io", "-o", "wide")
		return ok && strings.Contains(out, "created the cluster Secret")
	})
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	// The manager may report the lease that it gives up as an error, which it is not.
	log := strings.ReplaceAll(r.log.String(), `level=ERROR msg="error received after stop sequence was engaged" err="leader election lost"`, "")
	for _, lacks := range []string{"lacks a permission", "level=ERROR", "orbidden", "annot "} {
		if strings.Contains(log, lacks) {
			t.Errorf("the log has %q:\n%s", lacks, r.log.String())
		}
	}
	elsewhere := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "other"}}
	if err := admin.Client.Create(t.Context(), elsewhere); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"read a Secret of another namespace": user.Client.Get(t.Context(), client.ObjectKeyFromObject(elsewhere), &corev1.Secret{}),
		"list all Secrets":                   user.Client.List(t.Context(), &corev1.SecretList{}),
		"list Secrets of its own namespace":  user.Client.List(t.Context(), &corev1.SecretList{}, client.InNamespace(own)),
		"change a ClusterSet":                user.Client.Update(t.Context(), cs),
		"delete a ClusterSet":                user.Client.Delete(t.Context(), cs),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("it may %s: %v", what, err)
		}
	}
}

func TestAPermissionThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	for without, says := range map[string]string{
		"create secrets":       `cannot create resource "secrets"`,
		"patch secrets":        `cannot patch resource "secrets"`,
		"delete secrets":       `cannot delete resource "secrets"`,
		"list applicationsets": `cannot list resource "applicationsets"`,
	} {
		t.Run("for a pass: "+without, func(t *testing.T) {
			t.Parallel()
			admin, user, own := installed(t, without)
			r := control(t, user, everyWrite, leaseIn(own))
			ready := readyOf(t, admin, declareSet(t, admin, "fleet", nil))
			if !strings.Contains(ready.Message, says) || ready.Status != metav1.ConditionFalse {
				t.Errorf("%+v", ready)
			}
			verb, resource, _ := strings.Cut(without, " ")
			if log := r.log.String(); !strings.Contains(log, "the controller lacks a permission") || !strings.Contains(log, verb+" "+resource) {
				t.Errorf("the log does not name it:\n%s", log)
			}
		})
	}
	for _, without := range []string{"patch clustersets/status", "create events", "patch events"} {
		t.Run("for what it tells: "+without, func(t *testing.T) {
			t.Parallel()
			_, user, own := installed(t, without)
			r := control(t, user, everyWrite, leaseIn(own))
			verb, resource, _ := strings.Cut(without, " ")
			until(t, "warning", func() bool {
				return strings.Contains(r.log.String(), "level=WARN") && strings.Contains(r.log.String(), `permission="`+verb+" "+resource)
			})
		})
	}
	for _, without := range []string{
		"get clustersets", "list clustersets", "watch clustersets", "get secrets", "list secrets", "watch secrets", "get leases", "create leases", "update leases",
	} {
		t.Run("at all: "+without, func(t *testing.T) {
			t.Parallel()
			_, user, own := installed(t, without)
			r := control(t, user, everyWrite, leaseIn(own))
			err := r.end()
			verb, resource, _ := strings.Cut(without, " ")
			if err == nil || !strings.Contains(err.Error(), "the controller may not "+verb+" "+resource) || !strings.Contains(err.Error(), "config/rbac") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWhatIsAskedForIsWhatTheRolesGrant(t *testing.T) {
	asked := map[string]bool{}
	for _, p := range permissions(cli.ControllerOptions{Namespaces: []string{"sets"}, ArgoCDNamespaces: []string{"argocd"}, LeaderElect: true}, "norikae") {
		asked[p.String()] = true
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	granted := map[string]bool{}
	for doc := range strings.SplitSeq(string(text), "---\n") {
		var role rbacv1.Role
		if err := yaml.Unmarshal([]byte(doc), &role); err != nil {
			t.Fatal(err)
		}
		if role.Namespace == "" {
			role.Namespace = "sets"
		}
		for _, r := range role.Rules {
			resource, sub, _ := strings.Cut(r.Resources[0], "/")
			for _, v := range r.Verbs {
				granted[permission{verb: v, group: r.APIGroups[0], resource: resource, sub: sub, namespace: role.Namespace}.String()] = true
			}
		}
	}
	if d := cmp.Diff(granted, asked); d != "" {
		t.Errorf("the roles (-) and what is asked for (+) differ:\n%s", d)
	}
}
