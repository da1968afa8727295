package terraform

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/google/go-cmp/cmp"
)

// standin is what stands in for eksctl: where it keeps what it was told.
type standin struct {
	record string
	only   string // "": all runs, else those about the cluster of this name
	read   int    // runs that were looked at already
}

// clusters makes a folder whose eksctl is the stand-in.
func (l *lab) clusters(t *testing.T, hcl string) (*folder, *standin) {
	t.Helper()
	f := l.folder(t, hcl)
	return f, f.standin(t)
}

// standin puts the stand-in on the folder's PATH.
func (f *folder) standin(t *testing.T) *standin {
	t.Helper()
	s := &standin{record: filepath.Join(t.TempDir(), "eksctl.jsonl")}
	f.env = slices.DeleteFunc(f.env, func(kv string) bool { return strings.HasPrefix(kv, "PATH=") })
	f.env = append(f.env, "PATH="+program("test")+string(os.PathListSeparator)+os.Getenv("PATH"), "EKSCTL_RECORD="+s.record)
	return s
}

// eksctl runs the stand-in by hand, as somebody beside Terraform does.
func (l *lab) eksctl(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program("test/eksctl"), args...)
	cmd.Env, cmd.Stdin = l.environment(t), strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("eksctl %q: %v\n%s", args, err, out)
	}
}

// ran is one run of the stand-in.
type ran struct {
	Args  []string
	Stdin string
	PID   int
}

func (r ran) verb() string { return strings.Join(r.Args[:2], " ") }

// runs since the last call.
func (s *standin) runs(t *testing.T) (out []ran) {
	t.Helper()
	b, err := os.ReadFile(s.record)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var r ran
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("the stand-in's record: %v\n%s", err, line)
		}
		if strings.Contains(strings.Join(r.Args, " ")+r.Stdin, s.only) {
			out = append(out, r)
		}
	}
	all := out
	out, s.read = out[s.read:], len(all)
	return out
}

// verbs of the runs since the last call, in order.
func (s *standin) verbs(t *testing.T) (out []string) {
	t.Helper()
	for _, r := range s.runs(t) {
		out = append(out, r.verb())
	}
	return out
}

// rewriteVar makes the tests write golden files anew.
const rewriteVar = "NORIKAE_REWRITE"

// golden compares the ClusterConfigs that eksctl got since the last call with the files of
// testdata/clusterconfigs that begin with the example's name.
func (s *standin) golden(t *testing.T, example string) {
	t.Helper()
	got := map[string]string{}
	for _, r := range s.runs(t) {
		if r.Stdin != "" {
			got[nameOf(r.Stdin)+"."+strings.ReplaceAll(r.verb(), " ", "-")] = r.Stdin
		}
	}
	golden(t, example, got)
}

// golden compares ClusterConfigs by CLUSTER.COMMAND. What AWS makes up is made steady.
func golden(t *testing.T, example string, configs map[string]string) {
	t.Helper()
	dir := filepath.Join(here, "testdata", "clusterconfigs")
	example = strings.ReplaceAll(example, "/", "-")
	got, want := map[string]string{}, map[string]string{}
	for name, text := range configs {
		file := example + "." + name + ".yaml"
		got[file] = steady(text)
		if os.Getenv(rewriteVar) != "" {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(got[file]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, example+".*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want[filepath.Base(file)] = string(b)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the ClusterConfigs of %s differ from those in %s (%s=1 writes them; read the difference before you commit it):\n%s", example, dir, rewriteVar, d)
	}
}

// here is the folder of this package.
var here, _ = os.Getwd()

// nameOf the cluster of a ClusterConfig.
func nameOf(config string) string {
	m := regexp.MustCompile(`(?m)^  name: "?([^"\n]+)"?$`).FindStringSubmatch(config)
	if m == nil {
		return "unnamed"
	}
	return m[1]
}

// steady gives every ID that AWS makes up another that does not change with each run: by
// the order in which they appear.
func steady(config string) string {
	seen := map[string]int{}
	return regexp.MustCompile(`(vpc-|subnet-|sg-|:targetgroup/[a-z-]+/)[0-9a-f]{16,17}\b`).ReplaceAllStringFunc(config, func(id string) string {
		kind := id[:strings.LastIndexAny(id, "-/")+1]
		if _, ok := seen[id]; !ok {
			seen[id] = 0
			for other := range seen {
				if strings.HasPrefix(other, kind) && other != id {
					seen[id]++
				}
			}
		}
		digits := "0123456789abcdef"
		if strings.HasPrefix(kind, ":") {
			return kind + digits[:15] + digits[seen[id]:seen[id]+1]
		}
		return kind + digits + digits[seen[id]:seen[id]+1]
	})
}

// eks and ec2 clients of whom made the lab.
func (l *lab) eks() *eks.Client {
	return eks.New(eks.Options{BaseEndpoint: aws.String(l.Endpoint), Region: l.Region, Credentials: credentials.NewStaticCredentialsProvider("FAKEKEYOFTHETEST", "fake", "")})
}

func (l *lab) ec2() *ec2.Client {
	return ec2.New(ec2.Options{BaseEndpoint: aws.String(l.Endpoint), Region: l.Region, Credentials: credentials.NewStaticCredentialsProvider("FAKEKEYOFTHETEST", "fake", "")})
}

// vpc makes one with a public and a private subnet in each of two zones.
func (l *lab) vpc(t *testing.T) (id string) {
	t.Helper()
	api := l.ec2()
	v, err := api.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []struct{ role, zone string }{{"elb", "a"}, {"elb", "b"}, {"internal-elb", "a"}, {"internal-elb", "b"}} {
		_, err := api.CreateSubnet(t.Context(), &ec2.CreateSubnetInput{
			VpcId: v.Vpc.VpcId, AvailabilityZone: aws.String(l.Region + s.zone), CidrBlock: aws.String("10.0." + string(rune('0'+i)) + ".0/24"),
			TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeSubnet, Tags: []ec2types.Tag{
				{Key: aws.String("kubernetes.io/role/" + s.role), Value: aws.String("1")},
			}}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return aws.ToString(v.Vpc.VpcId)
}

// names of the clusters that there are.
func (l *lab) names(t *testing.T) []string {
	t.Helper()
	out, err := l.eks().ListClusters(t.Context(), &eks.ListClustersInput{})
	if err != nil {
		t.Fatal(err)
	}
	return out.Clusters
}

// managed node groups of a cluster.
func (l *lab) managed(t *testing.T, cluster string) []string {
	t.Helper()
	out, err := l.eks().ListNodegroups(t.Context(), &eks.ListNodegroupsInput{ClusterName: &cluster})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(out.Nodegroups))
}
