package kubeapi

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/norikae/norikae/internal/awssim/clitest"
	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

const everything = "/api/v1/secrets" // that administrators may read, and viewers may not

// TestClustersLetInWhomAWSWould runs two real API servers for all that is about tokens.
func TestClustersLetInWhomAWSWould(t *testing.T) {
	t.Parallel()
	c := newCloud(t, assets(t))
	c.add(t, eks.NewCluster{Name: "green"}, eks.NewCluster{Name: "blue", AuthenticationMode: eks.ModeConfigMap})
	t.Run("a token is for one cluster", c.testOneCluster)
	t.Run("refused tokens", c.testRefusals)
	t.Run("an access entry's group", c.testEntry)
	t.Run("access policies", c.testPolicies)
	t.Run("a policy in namespaces", c.testNamespacedPolicy)
	t.Run("aws-auth", c.testAWSAuth)
	t.Run("both ways", c.testBothWays)
	t.Run("a pod's service account is a role", c.testServiceAccount)
	t.Run("a user's keys", c.testUser)
	t.Run("the AWS CLI", c.testAWSCLI)
	if text := c.log.String(); strings.Contains(text, sts.LabSecret) || strings.Contains(text, "X-Amz-Signature") || strings.Contains(text, tokenPrefix+"a") {
		t.Errorf("the log tells secrets:\n%s", text)
	}
}

func (c *cloud) testOneCluster(t *testing.T) {
	green := c.enter(t, "green", labKey())
	if who := green.whoami(t); who != labUser+" eks:access-policy:AmazonEKSClusterAdminPolicy system:authenticated" {
		t.Errorf("who has created green is %q there", who)
	}
	if status := green.can(t, everything); status != http.StatusOK {
		t.Errorf("its creator gets %d at green", status)
	}
	if who := c.at(t, "blue", green.token).whoami(t); who != "Unauthorized" {
		t.Errorf("green's token is %q at blue", who)
	}
	if who := c.enter(t, "blue", labKey()).whoami(t); who != "kubernetes-admin system:masters system:authenticated" {
		t.Errorf("who has created blue, with a ConfigMap only, is %q there", who)
	}
	r := good()
	r.endpoint = c.url
	if status := c.at(t, "green", wrap(r.presign(t))).can(t, everything); status != http.StatusOK {
		t.Errorf("a token with the lab's endpoint gets %d", status)
	}
}

func (c *cloud) testRefusals(t *testing.T) {
	url := good().presign(t)
	late := good()
	late.at = time.Now().Add(-16 * time.Minute)
	guess := good()
	guess.key = credentials.NewStaticCredentialsProvider(sts.LabAccessKeyID, "guess", "")
	stranger := good()
	stranger.key = credentials.NewStaticCredentialsProvider("AKIDSTRANGER", "guess", "")
	bare := good()
	bare.cluster = ""
	for name, token := range map[string]string{
		"signed with another secret": wrap(guess.presign(t)),
		"of an unknown key":          wrap(stranger.presign(t)),
		"expired":                    wrap(late.presign(t)),
		"tampered with":              wrap(set("X-Amz-Expires", "61")(url)),
		"without the header":         wrap(bare.presign(t)),
		"huge":                       wrap(url + strings.Repeat("&", 4096)),
		"with a parameter twice":     wrap(url + "&Action=GetCallerIdentity"),
		"no token of EKS":            "abc",
	} {
		t.Run(name, func(t *testing.T) {
			if who := c.at(t, "green", token).whoami(t); who != "Unauthorized" {
				t.Errorf("it is let in as %q", who)
			}
		})
	}
}

// entry of a role in a cluster.
func (c *cloud) entry(t *testing.T, cluster, role string, groups ...string) {
	t.Helper()
	wiretest.Must(c.CreateAccessEntry(t.Context(), &awseks.CreateAccessEntryInput{ClusterName: &cluster, PrincipalArn: &role, KubernetesGroups: groups}))(t)
}

func (c *cloud) testEntry(t *testing.T) {
	session := c.assume(t, roleARN, "me")
	if who := c.enter(t, "green", session).whoami(t); who != "Unauthorized" {
		t.Errorf("a role without an entry is let in as %q", who)
	}
	c.entry(t, "green", roleARN, "readers")
	c.make(t, "green", "/apis/"+rbac+"/v1/clusterroles", object{
		"metadata": object{"name": "readers"}, "rules": []object{{"apiGroups": []string{""}, "resources": []string{"configmaps"}, "verbs": []string{"list"}}},
	})
	c.make(t, "green", "/apis/"+rbac+"/v1/clusterrolebindings", object{
		"metadata": object{"name": "readers"}, "roleRef": object{"apiGroup": rbac, "kind": "ClusterRole", "name": "readers"},
		"subjects": []object{{"apiGroup": rbac, "kind": "Group", "name": "readers"}},
	})
	r := good()
	r.key, r.at = session, time.Now().Add(-time.Second) // not the token that was refused
	green := c.at(t, "green", wrap(r.presign(t)))
	if who := green.whoami(t); who != "arn:aws:sts::000000000000:assumed-role/argocd/me readers system:authenticated" {
		t.Errorf("the role's session is %q", who)
	}
	if may, not := green.can(t, "/api/v1/configmaps"), green.can(t, everything); may != http.StatusOK || not != http.StatusForbidden {
		t.Errorf("what it may is %d, what it may not %d", may, not)
	}

	wiretest.Must(c.DeleteAccessEntry(t.Context(), &awseks.DeleteAccessEntryInput{ClusterName: aws.String("green"), PrincipalArn: aws.String(roleARN)}))(t)
	r.at = time.Now().Add(-2 * time.Second)
	if who := c.at(t, "green", wrap(r.presign(t))).whoami(t); who != "Unauthorized" {
		t.Errorf("without its entry, with a new token, it is let in as %q", who)
	}
	// The token that was let in is known for the API server's 10 s and the webhook's.
	limit := 10*time.Second + tokenTTL + time.Second
	for begun := time.Now(); green.can(t, "/api/v1/configmaps") != http.StatusUnauthorized; time.Sleep(200 * time.Millisecond) {
		if time.Since(begun) > limit {
			t.Fatalf("without its entry it is let in after %s, with the token of before", limit)
		}
	}
}

func (c *cloud) associate(t *testing.T, cluster, role, policy string, namespaces ...string) {
	t.Helper()
	scope := &types.AccessScope{Type: types.AccessScopeTypeCluster}
	if len(namespaces) > 0 {
		scope = &types.AccessScope{Type: types.AccessScopeTypeNamespace, Namespaces: namespaces}
	}
	arn := "arn:aws:eks::aws:cluster-access-policy/" + policy
	wiretest.Must(c.AssociateAccessPolicy(t.Context(), &awseks.AssociateAccessPolicyInput{ClusterName: &cluster, PrincipalArn: &role, PolicyArn: &arn, AccessScope: scope}))(t)
}

func (c *cloud) testPolicies(t *testing.T) {
	const pods, roles = "/api/v1/pods", "/apis/" + rbac + "/v1/clusterroles"
	for policy, want := range map[string]struct {
		pods, secrets, roles int // statuses of reading them
		write                int // of making a ConfigMap
	}{
		"AmazonEKSClusterAdminPolicy": {200, 200, 200, 201},
		"AmazonEKSAdminPolicy":        {200, 200, 403, 201},
		"AmazonEKSEditPolicy":         {200, 200, 403, 201},
		"AmazonEKSViewPolicy":         {200, 403, 403, 403},
		"AmazonEKSAdminViewPolicy":    {200, 200, 200, 403},
		"AmazonEKSSecretReaderPolicy": {403, 200, 403, 403},
	} {
		t.Run(policy, func(t *testing.T) {
			role := "arn:aws:iam::000000000000:role/" + policy
			c.entry(t, "green", role)
			c.associate(t, "green", role, policy)
			green := c.enter(t, "green", c.assume(t, role, "me"))
			if p, s, r := green.can(t, pods), green.can(t, everything), green.can(t, roles); p != want.pods || s != want.secrets || r != want.roles {
				t.Errorf("reading pods is %d, secrets %d, roles %d; want %+v", p, s, r, want)
			}
			status, _ := green.call(t, http.MethodPost, "/api/v1/namespaces/default/configmaps", object{
				"metadata": object{"name": strings.ToLower(policy)},
			})
			if status != want.write {
				t.Errorf("writing is %d, want %d", status, want.write)
			}
		})
	}
}

func (c *cloud) testNamespacedPolicy(t *testing.T) {
	const role = "arn:aws:iam::000000000000:role/web"
	for _, ns := range []string{"web-1", "web-2", "db"} {
		c.make(t, "green", "/api/v1/namespaces", object{"metadata": object{"name": ns}})
	}
	c.entry(t, "green", role)
	c.associate(t, "green", role, "AmazonEKSEditPolicy", "web-*")
	c.associate(t, "green", role, "AmazonEKSViewPolicy", "db")
	green := c.enter(t, "green", c.assume(t, role, "me"))
	for path, want := range map[string]int{
		"/api/v1/namespaces/web-1/secrets": 200, "/api/v1/namespaces/web-2/secrets": 200, "/api/v1/namespaces/db/pods": 200,
		"/api/v1/namespaces/db/secrets": 403, "/api/v1/namespaces/default/pods": 403, "/api/v1/pods": 403,
	} {
		if got := green.can(t, path); got != want {
			t.Errorf("%s is %d, want %d", path, got, want)
		}
	}
}

// awsAuthOf makes the ConfigMap of a cluster with one role.
func (c *cloud) awsAuthOf(t *testing.T, cluster, roles string) {
	t.Helper()
	c.make(t, cluster, "/api/v1/namespaces/kube-system/configmaps", object{
		"metadata": object{"name": "aws-auth"}, "data": object{"mapRoles": roles},
	})
}

func (c *cloud) testAWSAuth(t *testing.T) {
	const role = "arn:aws:iam::000000000000:role/argocd-controller"
	session := c.assume(t, role, "argo@cd")
	if who := c.enter(t, "blue", session).whoami(t); who != "Unauthorized" {
		t.Errorf("without aws-auth a role is %q", who)
	}
	c.awsAuthOf(t, "blue", "# roles of the team\n- rolearn: "+role+"\n  username: argo:{{SessionName}}\n  groups:\n    - system:masters\n")
	r := good()
	r.cluster, r.key, r.at = "blue", session, time.Now().Add(-time.Second)
	blue := c.at(t, "blue", wrap(r.presign(t)))
	if who := blue.whoami(t); who != "argo:argo-cd system:masters system:authenticated" {
		t.Errorf("the role is %q", who)
	}
	if status := blue.can(t, everything); status != http.StatusOK {
		t.Errorf("system:masters gets %d", status)
	}
}

// testBothWays makes blue know access entries, too.
func (c *cloud) testBothWays(t *testing.T) {
	const role = "arn:aws:iam::000000000000:role/argocd-controller"
	wiretest.Must(c.UpdateClusterConfig(t.Context(), &awseks.UpdateClusterConfigInput{
		Name: aws.String("blue"), AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApiAndConfigMap},
	}))(t)
	c.until(t, "blue", types.ClusterStatusActive)
	r := good()
	r.cluster, r.key, r.at = "blue", c.assume(t, role, "both"), time.Now().Add(-2*time.Second)
	if who := c.at(t, "blue", wrap(r.presign(t))).whoami(t); who != "argo:both system:masters system:authenticated" {
		t.Errorf("by aws-auth the role is %q", who)
	}
	c.entry(t, "blue", role, "entered")
	r.at = time.Now().Add(-3 * time.Second)
	if who := c.at(t, "blue", wrap(r.presign(t))).whoami(t); !strings.HasSuffix(who, "/both entered system:authenticated") {
		t.Errorf("with an entry as well the role is %q", who)
	}
	r.key = labKey()
	if who := c.at(t, "blue", wrap(r.presign(t))).whoami(t); who != labUser+" eks:access-policy:AmazonEKSClusterAdminPolicy system:authenticated" {
		t.Errorf("its creator, who was its administrator without an entry, is %q", who)
	}
}

// testServiceAccount takes the way of IRSA: a token of the cluster's own, which STS takes
// for a role.
func (c *cloud) testServiceAccount(t *testing.T) {
	issuer := *c.describe(t, "green").Identity.Oidc.Issuer
	provider := wiretest.Must(c.iam.CreateOpenIDConnectProvider(t.Context(), &awsiam.CreateOpenIDConnectProviderInput{
		Url: &issuer, ClientIDList: []string{"sts.amazonaws.com"}, ThumbprintList: []string{strings.Repeat("a", 40)},
	}))(t).OpenIDConnectProviderArn
	subject := strings.TrimPrefix(issuer, "https://") + ":sub"
	trust := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Federated": "` + *provider + `"},
		"Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"` + subject + `": "system:serviceaccount:default:app"}}}]}`
	role := wiretest.Must(c.iam.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("irsa"), AssumeRolePolicyDocument: &trust}))(t).Role.Arn
	admin := c.enter(t, "green", labKey())
	token := func(account string) string {
		c.make(t, "green", "/api/v1/namespaces/default/serviceaccounts", object{"metadata": object{"name": account}})
		status, out := admin.call(t, http.MethodPost, "/api/v1/namespaces/default/serviceaccounts/"+account+"/token", object{
			"spec": object{"audiences": []string{"sts.amazonaws.com"}, "expirationSeconds": 3600},
		})
		s, _ := out["status"].(map[string]any)
		text, _ := s["token"].(string)
		if status != http.StatusCreated || text == "" {
			t.Fatalf("a service account's token: %d %v", status, out)
		}
		return text
	}
	in := &awssts.AssumeRoleWithWebIdentityInput{RoleArn: role, RoleSessionName: aws.String("pod"), WebIdentityToken: aws.String(token("app"))}
	got := wiretest.Must(c.sts.AssumeRoleWithWebIdentity(t.Context(), in))(t)
	if *got.AssumedRoleUser.Arn != "arn:aws:sts::000000000000:assumed-role/irsa/pod" {
		t.Errorf("the pod is %s", *got.AssumedRoleUser.Arn)
	}
	in.WebIdentityToken = aws.String(token("other"))
	_, err := c.sts.AssumeRoleWithWebIdentity(t.Context(), in)
	wiretest.Refused(t, err, "AccessDenied", "")
	c.entry(t, "blue", *role, "pods")
	key := credentials.NewStaticCredentialsProvider(*got.Credentials.AccessKeyId, *got.Credentials.SecretAccessKey, *got.Credentials.SessionToken)
	if who := c.enter(t, "blue", key).whoami(t); !strings.HasSuffix(who, "assumed-role/irsa/pod pods system:authenticated") {
		t.Errorf("at the other cluster the pod is %q", who)
	}
}

func (c *cloud) testUser(t *testing.T) {
	ctx, name := t.Context(), aws.String("ann")
	user := *wiretest.Must(c.iam.CreateUser(ctx, &awsiam.CreateUserInput{UserName: name, Path: aws.String("/team/")}))(t).User.Arn
	key := wiretest.Must(c.iam.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: name}))(t).AccessKey
	c.entry(t, "green", user, "people")
	r := good()
	r.key = credentials.NewStaticCredentialsProvider(*key.AccessKeyId, *key.SecretAccessKey, "")
	if who := c.at(t, "green", wrap(r.presign(t))).whoami(t); who != user+" people system:authenticated" {
		t.Errorf("the user is %q", who)
	}
	wiretest.Must(c.iam.UpdateAccessKey(ctx, &awsiam.UpdateAccessKeyInput{UserName: name, AccessKeyId: key.AccessKeyId, Status: "Inactive"}))(t)
	r.at = time.Now().Add(-time.Second)
	if who := c.at(t, "green", wrap(r.presign(t))).whoami(t); who != "Unauthorized" {
		t.Errorf("by an inactive key the user is %q", who)
	}
}

func (c *cloud) testAWSCLI(t *testing.T) {
	cli := clitest.Start(t, clitest.Config{Endpoint: c.url, Region: region, Key: sts.LabAccessKeyID, Secret: sts.LabSecret})
	token := cli.Run("status.token", "eks", "get-token", "--cluster-name", "green")
	if who := c.at(t, "green", token).whoami(t); !strings.HasPrefix(who, labUser+" ") {
		t.Errorf("by `aws eks get-token` one is %q", who)
	}
}
