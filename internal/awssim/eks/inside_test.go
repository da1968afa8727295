package eks_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func (l *lab) access(t *testing.T, arn string) eks.Access {
	t.Helper()
	a, ok := l.service.Access(arn)
	if !ok {
		t.Fatalf("there is no cluster %s", arn)
	}
	return a
}

func TestAControlPlaneLearnsWhoMayEnter(t *testing.T) {
	l := newLab(t)
	ctx, name, who := t.Context(), aws.String("blue"), aws.String(lister)
	arn := l.add(t, "blue")
	wiretest.Must(l.CreateAccessEntry(ctx, &sdk.CreateAccessEntryInput{ClusterName: name, PrincipalArn: who, KubernetesGroups: []string{"listers"}, Username: aws.String("u")}))(t)
	wiretest.Must(l.AssociateAccessPolicy(ctx, &sdk.AssociateAccessPolicyInput{
		ClusterName: name, PrincipalArn: who, PolicyArn: aws.String(viewer),
		AccessScope: &types.AccessScope{Type: types.AccessScopeTypeNamespace, Namespaces: []string{"web"}},
	}))(t)
	const user = "arn:aws:iam::000000000000:user/lab"
	want := eks.Access{Mode: eks.ModeAPIAndConfigMap, Entries: []eks.AccessEntry{
		{Principal: lister, Type: "STANDARD", Username: "u", Groups: []string{"listers"}, Policies: []eks.AccessPolicy{{Name: "AmazonEKSViewPolicy", Namespaces: []string{"web"}}}},
		{Principal: user, Type: "STANDARD", Username: user, Policies: []eks.AccessPolicy{{Name: "AmazonEKSClusterAdminPolicy"}}},
	}}
	if d := cmp.Diff(want, l.access(t, arn)); d != "" {
		t.Errorf("who may enter (-want +got):\n%s", d)
	}
	wiretest.Must(l.DeleteAccessEntry(ctx, &sdk.DeleteAccessEntryInput{ClusterName: name, PrincipalArn: who}))(t)
	if d := cmp.Diff(want.Entries[1:], l.access(t, arn).Entries); d != "" {
		t.Errorf("without the entry (-want +got):\n%s", d)
	}
	for _, arn := range []string{"", "arn:aws:eks:us-east-1:000000000000:cluster/ghost", "arn:aws:eks:us-west-2:000000000000:cluster/blue", "arn:aws-cn:eks:us-east-1:000000000000:cluster/blue", "blue"} {
		if a, ok := l.service.Access(arn); ok {
			t.Errorf("%q gives %+v", arn, a)
		}
	}
	if !slices.Contains(eks.AccessPolicies(), "AmazonEKSViewPolicy") {
		t.Error("a policy is missing")
	}
}

func TestTheCreatorStaysTheAdministratorWhenAccessEntriesComeIn(t *testing.T) {
	const builder = "arn:aws:iam::000000000000:role/builder"
	for name, tc := range map[string]struct {
		bootstrap *bool
		creator   string   // that is the administrator while there is a ConfigMap only
		after     []string // with an entry
	}{
		"by default":    {nil, builder, []string{builder}},
		"not otherwise": {aws.Bool(false), "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(c *eks.Config) {
				c.CreateDelay, c.UpdateDelay = 0, time.Minute
				c.Caller = func(*wire.Request) string { return "arn:aws:sts::000000000000:assumed-role/builder/run-1" }
			})
			in := creation("blue")
			in.AccessConfig = &types.CreateAccessConfigRequest{BootstrapClusterCreatorAdminPermissions: tc.bootstrap}
			arn := *wiretest.Must(l.CreateCluster(t.Context(), in))(t).Cluster.Arn
			if d := cmp.Diff(eks.Access{Mode: eks.ModeConfigMap, Creator: tc.creator}, l.access(t, arn)); d != "" {
				t.Errorf("before (-want +got):\n%s", d)
			}
			wiretest.Must(l.UpdateClusterConfig(t.Context(), &sdk.UpdateClusterConfigInput{
				Name: aws.String("blue"), AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApiAndConfigMap},
			}))(t)
			l.clock.Add(time.Minute)
			a := l.access(t, arn)
			var got []string
			for _, e := range a.Entries {
				got = append(got, e.Principal)
			}
			if a.Mode != eks.ModeAPIAndConfigMap || a.Creator != "" || !slices.Equal(got, tc.after) {
				t.Errorf("after, it is %+v", a)
			}
		})
	}
}

func TestAClusterMadeAnewUnderItsNameIsAnotherOne(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	wiretest.Must(l.CreateCluster(ctx, creation("blue")))(t)
	l.clock.Add(10 * time.Minute)
	before := l.cluster(t, "blue")
	wiretest.Must(l.DeleteCluster(ctx, &sdk.DeleteClusterInput{Name: before.Name}))(t)
	_, err := l.CreateCluster(ctx, creation("blue"))
	wiretest.Refused(t, err, "ResourceInUseException", "") // it lingers, DELETING
	l.blueIs(t, types.ClusterStatusDeleting)
	l.clock.Add(5 * time.Minute)
	wiretest.Must(l.CreateCluster(ctx, creation("blue")))(t)
	if c := l.cluster(t, "blue"); c.Status != types.ClusterStatusCreating || c.Endpoint != nil || c.CertificateAuthority.Data != nil {
		t.Errorf("while it is made anew it is %s at %v", c.Status, c.Endpoint)
	}
	l.clock.Add(10 * time.Minute)
	after := l.cluster(t, "blue")
	if *after.Arn != *before.Arn {
		t.Errorf("the ARN is %s, and was %s", *after.Arn, *before.Arn)
	}
	if *after.Endpoint == *before.Endpoint || *after.CertificateAuthority.Data == *before.CertificateAuthority.Data ||
		*after.Identity.Oidc.Issuer == *before.Identity.Oidc.Issuer || !after.CreatedAt.After(*before.CreatedAt) {
		t.Errorf("made anew it is %+v, and was %+v", after, before)
	}
}

func TestTheMadeUpCertificateAuthorityCanBeRotated(t *testing.T) {
	l := newLab(t)
	arn := l.add(t, "blue")
	seen := map[string]bool{}
	endpoint := *l.cluster(t, "blue").Endpoint
	for range 3 {
		c := l.cluster(t, "blue")
		checkActive(t, c)
		if seen[*c.CertificateAuthority.Data] || *c.Endpoint != endpoint {
			t.Errorf("the certificate authority at %s was there before", *c.Endpoint)
		}
		seen[*c.CertificateAuthority.Data] = true
		if err := l.service.RotateCA(t.Context(), arn); err != nil {
			t.Error(err)
		}
	}
	creating := *wiretest.Must(l.CreateCluster(t.Context(), creation("green")))(t).Cluster.Arn
	for _, arn := range []string{arn + "x", creating} {
		if l.service.RotateCA(t.Context(), arn) == nil {
			t.Errorf("%s has none, and it was rotated", arn)
		}
	}
}

// rotating is a ControlPlane that can change certificate authorities.
type rotating struct {
	plane

	err error
}

func (r *rotating) RotateCA(context.Context, string) (eks.Endpoint, error) {
	return eks.Endpoint{URL: "https://127.0.0.1:3", CA: []byte("new")}, r.err
}

func TestAControlPlaneRotatesItsCertificateAuthorityItself(t *testing.T) {
	p := &rotating{}
	l := newLab(t, func(c *eks.Config) { c.ControlPlane = p })
	arn := l.add(t, "blue")
	if err := l.service.RotateCA(t.Context(), arn); err != nil {
		t.Error(err)
	}
	if c := l.cluster(t, "blue"); *c.Endpoint != "https://127.0.0.1:3" || *c.CertificateAuthority.Data != "bmV3" {
		t.Errorf("it is at %s with %s", *c.Endpoint, *c.CertificateAuthority.Data)
	}
	p.err = errors.New("it is stuck")
	if err := l.service.RotateCA(t.Context(), arn); !errors.Is(err, p.err) {
		t.Errorf("the error is %v", err)
	}
}
