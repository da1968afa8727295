package fleettest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/kubetest"
	"github.com/norikae/norikae/internal/register/argocd"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// The hazards of discovery and registration, on AWS as it answers over the wire and, but for
// D1, Secrets on a real API server. D8 is in package controller.

// beat is the interval of these sets; the grace is ten, the refresh interval five.
const beat = 100 * time.Millisecond

// field is an AWS, an Argo CD and the product between them.
type field struct {
	t       *testing.T
	world   *World
	kube    *kubetest.Cluster
	set     *registry.Set
	written *Recorder
	product *registrar.Registrar
}

func newField(t *testing.T) *field {
	t.Helper()
	environment(t)
	f := &field{t: t, kube: server.Cluster(t)}
	var err error
	if f.world, err = NewWorld(Config{Accounts: 2, Regions: 2, Seed: 1, Delay: 2 * beat, Sockets: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.world.Close(); err != nil {
			t.Error(err)
		}
	})
	f.set = set(t, f.world, beat)
	f.restart()
	return f
}

// restart the product with nothing in its memory.
func (f *field) restart() {
	f.t.Helper()
	secrets, err := argocd.New(argocd.Config{Reader: f.kube.Client, Writer: f.kube.Client, Namespace: f.kube.Namespace})
	if err != nil {
		f.t.Fatal(err)
	}
	f.written = NewRecorder(secrets)
	if f.product, err = process(f.world, f.written); err != nil {
		f.t.Fatal(err)
	}
}

// add a cluster, and return its ARN.
func (f *field) add(account, region int, name string) string {
	f.t.Helper()
	id := f.world.ID(f.world.Accounts[account], f.world.Regions[region], name)
	if err := f.world.Add(f.t.Context(), id, map[string]string{CellTag: "1"}); err != nil {
		f.t.Fatal(err)
	}
	return id.ARN()
}

func (f *field) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// pass once, with an index that has caught up, and return the outcomes by ARN.
func (f *field) pass() (registrar.Result, map[string]registrar.Outcome) {
	f.t.Helper()
	for _, a := range f.world.Accounts {
		for _, r := range f.world.Regions {
			f.world.CatchUp(a, r)
		}
	}
	res, err := f.product.Pass(f.t.Context(), f.set, registrar.Options{})
	f.must(err)
	out := map[string]registrar.Outcome{}
	for _, o := range res.Outcomes {
		out[o.Cluster.ARN()] = o
	}
	return res, out
}

// until passes have brought something about.
func (f *field) until(what string, ok func(map[string]registrar.Outcome) bool) {
	f.t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(beat) {
		_, out := f.pass()
		if ok(out) {
			return
		}
		if time.Now().After(end) {
			f.t.Fatalf("%s: not within 30 s: %+v", what, out)
		}
	}
}

// secrets of the namespace, by name.
func (f *field) secrets() map[string]corev1.Secret {
	f.t.Helper()
	var l corev1.SecretList
	f.must(f.kube.Client.List(f.t.Context(), &l, client.InNamespace(f.kube.Namespace)))
	out := map[string]corev1.Secret{}
	for _, s := range l.Items {
		out[s.Name] = s
	}
	return out
}

func (f *field) secret(arn string) corev1.Secret {
	f.t.Helper()
	id, err := registry.ParseARN(arn)
	f.must(err)
	s, ok := f.secrets()[registry.SecretName(id)]
	if !ok {
		f.t.Fatalf("%s has no Secret", arn)
	}
	return s
}

// untouched tells of Secrets that are not what they were.
func untouched(t *testing.T, before, after map[string]corev1.Secret) {
	t.Helper()
	for name, s := range before {
		if now, ok := after[name]; !ok || now.UID != s.UID || now.ResourceVersion != s.ResourceVersion {
			t.Errorf("Secret %s was touched, there still: %v", name, ok)
		}
	}
}

// In virtual time: AWS is asked for so many clusters at a pace that its limits allow.
func TestD1_TheHundredAndFirstClusterIsRegisteredAndStays(t *testing.T) {
	environment(t)
	for name, selector := range map[string]registry.Selector{
		"listed by tags": {Tags: map[string]string{TagKey: TagValue}}, "listed by names": {Names: []string{"*"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, err := NewWorld(Config{Accounts: 1, Regions: 1, Seed: 1, Delay: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				written := NewRecorder(NewMemory())
				product, err := process(w, written)
				if err != nil {
					t.Fatal(err)
				}
				f := &field{t: t, world: w, set: set(t, w, time.Minute), written: written, product: product}
				f.set.Sources[0].Selector = selector
				const n = 203 // three pages of AWS
				for i := range n {
					f.add(0, 0, fmt.Sprintf("c-%03d", i))
				}
				for range 12 { // for longer than the grace
					res, _ := f.pass()
					if got := res.Counts(); got != (registrar.Counts{Discovered: n, Registered: n}) {
						t.Errorf("%+v", got)
					}
					time.Sleep(f.set.Interval)
				}
				if writes := written.Writes(); len(writes) != n || slices.ContainsFunc(writes, func(w Write) bool { return w.Do != registry.Create }) {
					t.Errorf("%d writes for %d clusters, each to be created and left", len(writes), n)
				}
				f.must(w.Close())
			})
		})
	}
}

func TestD2_AClusterThatIsBeingCreatedIsRegisteredWhenItIsReady(t *testing.T) {
	f := newField(t)
	_, err := f.world.Do(t.Context(), "eks", f.world.Accounts[0], f.world.Regions[0], "CreateCluster", wire.Params{
		"name": "new", "roleArn": "arn:aws:iam::" + f.world.Accounts[0] + ":role/eks", "tags": wire.Params{TagKey: TagValue, CellTag: "1"},
		"resourcesVpcConfig": wire.Params{"subnetIds": []any{"subnet-0a", "subnet-0b"}},
	})
	f.must(err)
	arn := f.world.ID(f.world.Accounts[0], f.world.Regions[0], "new").ARN()
	if _, out := f.pass(); out[arn].State != registry.Waiting || len(f.secrets()) != 0 {
		t.Fatalf("%+v", out[arn])
	}
	f.until("it is registered", func(out map[string]registrar.Outcome) bool { return out[arn].State == registry.Registered })
	if s := f.secret(arn); !strings.HasPrefix(string(s.Data["server"]), "https://") {
		t.Errorf("server %q", s.Data["server"])
	}
}

func TestD3_NoWayToSeeNothingDeletesAnything(t *testing.T) {
	for name, tc := range map[string]struct {
		happen  func(f *field)
		stopped bool
	}{
		"a typing error in the tag": {func(f *field) { f.set.Sources[0].Selector.Tags = map[string]string{"norikae.dev/flet": TagValue} }, true},
		"a wrong region":            {func(f *field) { f.set.Sources[0].Regions = []string{"sa-east-1"} }, false},
		"a role that is revoked":    {func(f *field) { f.denied("", "AssumeRole"); f.restart() }, false},
		"a role without permissions": {func(f *field) {
			f.denied("", "GetResources", "ListClusters", "DescribeCluster")
		}, false},
		"an index that lists nothing": {func(f *field) {
			for _, arn := range f.world.ARNs() {
				f.must(f.world.Tag(f.t.Context(), arn, TagKey, ""))
			}
		}, true},
		"everything is deleted at once": {func(f *field) {
			for _, arn := range f.world.ARNs() {
				f.must(f.world.Delete(f.t.Context(), arn))
			}
			time.Sleep(4 * beat)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newField(t)
			for i := range 6 {
				f.add(i%2, 0, fmt.Sprintf("c-%d", i))
			}
			f.pass()
			before := f.secrets()
			if len(before) != 6 {
				t.Fatalf("%d Secrets", len(before))
			}
			tc.happen(f)
			for end := time.Now().Add(3 * f.set.Deletion.Grace); time.Now().Before(end); time.Sleep(beat) {
				if res, _ := f.pass(); (res.Stopped != "") != tc.stopped {
					t.Fatalf("stopped: %q", res.Stopped)
				}
			}
			untouched(t, before, f.secrets())
		})
	}
}

// denied lets operations fail in an account; "": in all.
func (f *field) denied(account string, operations ...string) {
	f.world.Faults().Intercept(func(_ context.Context, r *wire.Request, p wire.Phase) error {
		in := account == "" || r.AccountID == account
		if r.Operation == "AssumeRole" { // the caller's own account is one of these
			in = strings.Contains(r.Params.Str("RoleArn"), account)
		}
		if p != wire.Before || !in || !slices.Contains(operations, r.Operation) {
			return nil
		}
		return &wire.Error{Code: "AccessDenied", Message: "not authorized to perform: " + r.Operation, Status: http.StatusForbidden}
	})
}

func TestD4_OnlyWhatCarriesTheMarkIsDeleted(t *testing.T) {
	f := newField(t)
	gone := f.add(0, 0, "gone")
	for i := range 4 {
		f.add(0, 1, fmt.Sprintf("c-%d", i))
	}
	f.must(f.world.Serve(t.Context(), f.world.Truths()[gone].ID, 0))
	f.pass()
	ours := f.secret(gone)
	long := time.Now().Add(-1000 * time.Hour).Format(time.RFC3339)
	// Each has almost the mark of a Secret whose cluster has been gone for long.
	for name, change := range map[string]func(*corev1.Secret){
		"by-hand": func(s *corev1.Secret) {
			s.Labels = map[string]string{argocd.LabelSecretType: argocd.SecretTypeCluster}
			s.Annotations = nil
		},
		"of-gke": func(s *corev1.Secret) { delete(s.Labels, argocd.LabelManagedBy) },
		"of-another": func(s *corev1.Secret) {
			s.Labels[argocd.LabelSet], s.Annotations[argocd.AnnotationSet] = "other", Namespace+"/other"
		},
		"of-two":        func(s *corev1.Secret) { s.Annotations[argocd.AnnotationSet] = Namespace + "/other" },
		"of-no-cluster": func(s *corev1.Secret) { delete(s.Annotations, argocd.AnnotationARN) },
		"no-cluster":    func(s *corev1.Secret) { delete(s.Labels, argocd.LabelSecretType) },
		"in-cluster": func(s *corev1.Secret) {
			s.Data["server"] = []byte("https://kubernetes.default.svc")
			s.Data["name"] = []byte("in-cluster")
		},
	} {
		s := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: f.kube.Namespace, Name: name, Labels: maps.Clone(ours.Labels), Annotations: maps.Clone(ours.Annotations)},
			Data:       map[string][]byte{"name": []byte(name), "server": []byte("https://" + name + ".example.com"), "config": []byte("{}")},
		}
		s.Annotations[argocd.AnnotationMissingSince] = long
		if name == "in-cluster" { // it carries the whole mark, of a cluster that there never was
			s.Annotations[argocd.AnnotationARN] = strings.Replace(gone, "cluster/gone", "cluster/never", 1)
		}
		change(s)
		f.must(f.kube.Client.Create(t.Context(), s))
	}
	before := f.secrets()
	delete(before, ours.Name)
	f.must(f.world.Delete(t.Context(), gone))
	f.until("the one that is gone is deleted", func(map[string]registrar.Outcome) bool {
		_, there := f.secrets()[ours.Name]
		return !there
	})
	for range 5 {
		f.pass()
	}
	untouched(t, before, f.secrets())
}

func TestD5_WhatEKSSaysNowIsWritten(t *testing.T) {
	f := newField(t)
	arn := f.add(0, 0, "blue")
	f.pass()
	first := f.secret(arn)
	first.Labels["team"], first.Labels["cell"] = "theirs", "9"
	first.Data["config"] = []byte("{")
	f.must(f.kube.Client.Update(t.Context(), &first))
	f.must(f.world.RotateCA(t.Context(), arn))
	f.must(f.world.Tag(t.Context(), arn, CellTag, "2"))
	time.Sleep(f.set.RefreshInterval)
	f.pass()
	out, err := f.world.Do(t.Context(), "eks", f.world.Accounts[0], f.world.Regions[0], "DescribeCluster", wire.Params{"name": "blue"})
	f.must(err)
	s := f.secret(arn)
	var cfg struct {
		TLS struct{ CAData string } `json:"tlsClientConfig"`
	}
	f.must(json.Unmarshal(s.Data["config"], &cfg))
	if cfg.TLS.CAData == "" || !strings.Contains(fmt.Sprint(out), cfg.TLS.CAData) {
		t.Errorf("the authority in the Secret is not what EKS says: %s", cfg.TLS.CAData)
	}
	if s.UID != first.UID || s.Labels["cell"] != "2" || s.Labels["team"] != "theirs" {
		t.Errorf("labels %v, the same Secret: %v", s.Labels, s.UID == first.UID)
	}
	before := f.secrets()
	f.pass()
	untouched(t, before, f.secrets())
}

func TestD6_OneNameInTwoAccountsAndRegionsIsFourSecrets(t *testing.T) {
	f := newField(t)
	for account := range 2 {
		for region := range 2 {
			f.add(account, region, "blue")
		}
	}
	good := f.set.Template.Name
	f.set.Template.Name = text(t, "{{ .Name }}")
	_, out := f.pass()
	for arn, o := range out {
		if o.State != registry.Conflict || o.Reason != "NameCollision" {
			t.Errorf("%s: %s %s", arn, o.State, o.Reason)
		}
	}
	if n := len(f.secrets()); n != 0 || len(out) != 4 {
		t.Fatalf("%d Secrets with one name, %d outcomes", n, len(out))
	}
	f.set.Template.Name = good
	f.pass()
	names, servers := map[string]bool{}, map[string]bool{}
	for _, s := range f.secrets() {
		names[string(s.Data["name"])], servers[string(s.Data["server"])] = true, true
	}
	if len(names) != 4 || len(servers) != 4 {
		t.Errorf("names %v, servers %v", names, servers)
	}
}

func TestD7_OneAccountThatDeniesLeavesTheOthersWorking(t *testing.T) {
	f := newField(t)
	lost, kept := f.add(0, 0, "lost"), f.add(1, 0, "kept")
	f.pass()
	before := f.secrets()
	f.denied(f.world.Accounts[0], "AssumeRole", "GetResources", "ListClusters", "DescribeCluster")
	f.restart()
	fresh := f.add(1, 1, "fresh")
	f.must(f.world.Tag(t.Context(), kept, CellTag, "5"))
	res, out := f.pass()
	if out[lost].State != registry.Uncertain || out[fresh].State != registry.Registered || f.secret(kept).Labels["cell"] != "5" {
		t.Errorf("%+v", out)
	}
	delete(before, f.secret(kept).Name)
	untouched(t, before, f.secrets())
	for _, s := range res.Scopes {
		if (s.Err != nil) != (s.Scope.Account == f.world.Accounts[0]) {
			t.Errorf("%+v", s)
		}
	}
}

// What a tag says reaches the config as a value of JSON, and a dry run is answered by the
// API server.
func TestD7_JSONIsNotMadeByHandAndADryRunClaimsNothing(t *testing.T) {
	f := newField(t)
	const odd = `a"},"insecure":true,"x":{"y":"é ` + "\\"
	id := f.world.ID(f.world.Accounts[0], f.world.Regions[0], "odd")
	f.must(f.world.Add(t.Context(), id, map[string]string{CellTag: "1", "odd": odd}))
	f.set.Auth = registry.Auth{Exec: &registry.ExecAuth{Env: map[string]*registry.Text{"ODD": text(t, "{{ .Tags.odd }}")}}}

	secrets, err := argocd.New(argocd.Config{Reader: f.kube.Client, Writer: f.kube.As(t, "reader").Client, Namespace: f.kube.Namespace})
	f.must(err)
	cfg, err := adapters(f.world, secrets)
	f.must(err)
	cfg.Preview = secrets.WithDryRun()
	res, err := registrar.New(cfg).Pass(t.Context(), f.set, registrar.Options{DryRun: true})
	f.must(err)
	if o := res.Outcomes[0]; o.Written || o.Err == nil || o.Reason != "WriteDenied" {
		t.Errorf("a dry run of somebody who may not write: %+v", o)
	}
	if n := len(f.secrets()); n != 0 {
		t.Errorf("%d Secrets after a dry run", n)
	}

	f.pass()
	var config struct {
		Exec struct{ Env map[string]string } `json:"execProviderConfig"`
		TLS  map[string]any                  `json:"tlsClientConfig"`
	}
	f.must(json.Unmarshal(f.secret(id.ARN()).Data["config"], &config))
	if config.Exec.Env["ODD"] != odd || config.TLS["insecure"] != false {
		t.Errorf("%+v", config)
	}
}

func TestD9_AClusterMadeAnewGetsANewSecret(t *testing.T) {
	f := newField(t)
	arn := f.add(0, 0, "blue")
	for i := range 4 {
		f.add(0, 1, fmt.Sprintf("c-%d", i))
	}
	id := f.world.Truths()[arn].ID
	f.must(f.world.Serve(t.Context(), id, 0))
	f.pass()
	first := f.secret(arn)
	f.must(f.world.Delete(t.Context(), arn))
	time.Sleep(time.Second + 4*beat) // EKS tells times to the second
	f.add(0, 0, "blue")
	f.until("the new server is registered", func(map[string]registrar.Outcome) bool {
		s, ok := f.secrets()[first.Name]
		return ok && string(s.Data["server"]) != string(first.Data["server"])
	})
	if now := f.secret(arn); now.UID == first.UID {
		t.Error("the server was changed in place")
	}
	for _, w := range f.written.Writes() {
		if w.Do != registry.Create && w.Do != registry.Delete && w.Before.Server != w.After.Server {
			t.Errorf("%s changes the server from %s to %s", w.Do, w.Before.Server, w.After.Server)
		}
	}
}

func TestD10_OneSharedRoleIsNotInTheSecret(t *testing.T) {
	for name, auth := range map[string]registry.Auth{"awsAuthConfig": {AWS: &registry.AWSAuth{}}, "exec": {Exec: &registry.ExecAuth{}}} {
		t.Run(name, func(t *testing.T) {
			f := newField(t)
			arn := f.add(0, 0, "blue")
			f.set.Auth = auth
			f.pass()
			config := string(f.secret(arn).Data["config"])
			if !json.Valid([]byte(config)) || strings.Contains(strings.ToLower(config), "role") {
				t.Errorf("config %s", config)
			}
		})
	}
}
