package awssim_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
)

// world starts a lab with one of its worlds.
func world(t *testing.T, name string, change func(*awssim.Config)) fixture {
	t.Helper()
	cfg := awssim.Fast()
	cfg.World = name
	if change != nil {
		change(&cfg)
	}
	f, end := start(t, cfg, nil)
	t.Cleanup(end)
	return f
}

// config of clients in a region; key "" is the lab's own administrator.
func (f fixture) config(region string, key aws.CredentialsProvider) aws.Config {
	if key == nil {
		key = credentials.NewStaticCredentialsProvider("FAKEKEYOFTHELAB", "fake-secret-of-the-lab", "")
	}
	return aws.Config{Region: region, BaseEndpoint: aws.String(f.Endpoint()), HTTPClient: f.http, Credentials: key}
}

func TestTheWorldNLBCarriesConnections(t *testing.T) {
	t.Parallel()
	f := world(t, awssim.WorldNLB, nil)
	w := f.World()
	for range 20 {
		if status, body := f.get(t, http.MethodGet, w.URL+"/", ""); status != http.StatusOK || !strings.Contains(body, "blue") {
			t.Fatalf("%d %s", status, body)
		}
	}
	arns := w.TargetGroups
	if _, err := f.elb.ModifyListener(t.Context(), &elb.ModifyListenerInput{ListenerArn: &w.ListenerARN, DefaultActions: forward(arns[0].ARN, 0, arns[1].ARN, 100)}); err != nil {
		t.Fatal(err)
	}
	if _, body := f.get(t, http.MethodGet, w.URL+"/", ""); !strings.Contains(body, "blue") {
		t.Errorf("an open connection moved: %s", body)
	}
	f.http.CloseIdleConnections()
	if _, body := f.get(t, http.MethodGet, w.URL+"/", ""); !strings.Contains(body, "green") {
		t.Errorf("a new connection stayed: %s", body)
	}
}

func TestTheWorldRoute53LeadsToItsLoadBalancers(t *testing.T) {
	t.Parallel()
	f := world(t, awssim.WorldRoute53, func(c *awssim.Config) { c.Propagation = 0 })
	w := f.World()
	if w.DNS == "" || w.HostedZoneID == "" || len(w.Destinations) != 2 || !strings.HasPrefix(w.URL, "http://api.example.com:") {
		t.Fatalf("%+v", w)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Resolver: resolver(w.DNS)}).DialContext}}
	ask := func() string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%d %v", res.StatusCode, err)
		}
		return string(b)
	}
	for range 20 {
		if body := ask(); !strings.Contains(body, "blue") {
			t.Fatal(body)
		}
	}
	do(t, route53.NewFromConfig(f.config(awssim.Region, nil)).ChangeResourceRecordSets, f.moveRecords(t, 0, 100))
	for range 20 {
		if body := ask(); !strings.Contains(body, "green") {
			t.Fatal(body)
		}
	}
}

// moveRecords is the change that gives the world's records other weights.
func (f fixture) moveRecords(t *testing.T, blue, green int64) *route53.ChangeResourceRecordSetsInput {
	t.Helper()
	w := f.World()
	list := do(t, route53.NewFromConfig(f.config(awssim.Region, nil)).ListResourceRecordSets, &route53.ListResourceRecordSetsInput{HostedZoneId: &w.HostedZoneID, StartRecordName: &w.Name})
	var changes []r53types.Change
	for _, r := range list.ResourceRecordSets {
		if aws.ToString(r.Name) == w.Name+"." {
			r.Weight = aws.Int64(map[string]int64{"blue": blue, "green": green}[aws.ToString(r.SetIdentifier)])
			changes = append(changes, r53types.Change{Action: r53types.ChangeActionUpsert, ResourceRecordSet: &r})
		}
	}
	if len(changes) != 4 {
		t.Fatalf("%d weighted records", len(changes))
	}
	return &route53.ChangeResourceRecordSetsInput{HostedZoneId: &w.HostedZoneID, ChangeBatch: &r53types.ChangeBatch{Changes: changes}}
}

// resolver asks one name server.
func resolver(addr string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
}

func TestTheWorldFleetIsFoundInEveryAccountAndRegion(t *testing.T) {
	t.Parallel()
	f := world(t, awssim.WorldFleet, func(c *awssim.Config) { c.Fleet = 250 })
	w := f.World()
	found := map[string]bool{}
	for _, account := range w.Accounts {
		role, err := sts.NewFromConfig(f.config(awssim.Region, nil)).AssumeRole(t.Context(), &sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::" + account + ":role/discovery"), RoleSessionName: aws.String("test"),
		})
		if err != nil {
			t.Fatal(err)
		}
		key := credentials.NewStaticCredentialsProvider(*role.Credentials.AccessKeyId, *role.Credentials.SecretAccessKey, *role.Credentials.SessionToken)
		for _, region := range w.Regions {
			cfg := f.config(region, key)
			names := eks.NewListClustersPaginator(eks.NewFromConfig(cfg), &eks.ListClustersInput{MaxResults: aws.Int32(10)})
			listed := 0
			for names.HasMorePages() {
				page, err := names.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				listed += len(page.Clusters)
			}
			pages := tagging.NewGetResourcesPaginator(tagging.NewFromConfig(cfg), &tagging.GetResourcesInput{ResourceTypeFilters: []string{"eks:cluster"}})
			tagged := 0
			for pages.HasMorePages() {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range page.ResourceTagMappingList {
					found[*r.ResourceARN] = true
					tagged++
				}
			}
			if listed != tagged || listed < 250/9 {
				t.Errorf("%s in %s: %d listed, %d tagged", account, region, listed, tagged)
			}
		}
	}
	if len(found) != 250 {
		t.Errorf("%d clusters of 250", len(found))
	}
}

func TestAThousandClustersFitInto300MB(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	f := world(t, awssim.WorldFleet, func(c *awssim.Config) { c.Fleet = 1000 })
	if used := heap() - before; used > 300<<20 {
		t.Errorf("the lab takes %d MB", used>>20)
	} else {
		t.Logf("%d KB", used>>10)
	}
	if f.World().Clusters != 1000 {
		t.Errorf("%d clusters", f.World().Clusters)
	}
}

func TestALabThatIsRestartedHasItsResources(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lab")
	change := func(c *awssim.Config) { c.StateDir, c.World = dir, awssim.WorldRoute53 }
	cfg := awssim.Fast()
	change(&cfg)
	describe := func(f fixture) string {
		t.Helper()
		w := f.World()
		w.Endpoint, w.Env = "", nil
		roles, err := f.elb.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, g := range roles.TargetGroups {
			names = append(names, *g.TargetGroupArn, fmt.Sprint(*g.HealthCheckPath))
		}
		clusters, err := eks.NewFromConfig(f.config("eu-west-1", nil)).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("kept")})
		if err != nil {
			return fmt.Sprint(w, names, err != nil)
		}
		zones, err := route53.NewFromConfig(f.config("eu-west-1", nil)).ListHostedZones(t.Context(), &route53.ListHostedZonesInput{})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(w, names, *clusters.Cluster.Arn, *clusters.Cluster.CreatedAt, len(zones.HostedZones), *zones.HostedZones[0].Id)
	}
	f, end := start(t, cfg, nil)
	if _, err := f.elb.CreateTargetGroup(t.Context(), &elb.CreateTargetGroupInput{Name: aws.String("more"), Protocol: "HTTP", Port: aws.Int32(80), VpcId: aws.String("vpc-01ab"), HealthCheckPath: aws.String("/x")}); err != nil {
		t.Fatal(err)
	}
	if _, err := eks.NewFromConfig(f.config("eu-west-1", nil)).CreateCluster(t.Context(), createCluster("kept")); err != nil {
		t.Fatal(err)
	}
	if _, err := route53.NewFromConfig(f.config("eu-west-1", nil)).CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: aws.String("example.org"), CallerReference: aws.String("x")}); err != nil {
		t.Fatal(err)
	}
	before := describe(f)
	end()
	for range 2 {
		f, end := start(t, cfg, nil)
		if after := describe(f); after != before {
			t.Errorf("before %s\nafter  %s", before, after)
		}
		if status, body := f.get(t, http.MethodGet, "http://"+f.World().TargetGroups[0].Targets[0]+"/", ""); status != http.StatusOK || !strings.Contains(body, "blue") {
			t.Errorf("the target is not where it was: %d %s", status, body)
		}
		end()
	}
	other := cfg
	other.World = awssim.WorldNLB
	if _, err := awssim.New(other); err == nil || !strings.Contains(err.Error(), `--seed "route53"`) {
		t.Errorf("another world in the same directory: %v", err)
	}
}

// forward to two target groups.
func forward(blue string, blueWeight int32, green string, greenWeight int32) []elbtypes.Action {
	return []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, ForwardConfig: &elbtypes.ForwardActionConfig{TargetGroups: []elbtypes.TargetGroupTuple{
		{TargetGroupArn: &blue, Weight: &blueWeight}, {TargetGroupArn: &green, Weight: &greenWeight},
	}}}}
}

// createCluster asks for a small cluster.
func createCluster(name string) *eks.CreateClusterInput {
	return &eks.CreateClusterInput{
		Name: &name, RoleArn: aws.String("arn:aws:iam::000000000000:role/eks"),
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-0a", "subnet-0b"}},
	}
}

func TestTargetsThatFailBehindAnNLBResetTheirConnections(t *testing.T) {
	t.Parallel()
	f := world(t, awssim.WorldNLB, nil)
	w := f.World()
	if status, _ := f.get(t, http.MethodGet, w.URL+"/", ""); status != http.StatusOK {
		t.Fatalf("%d", status)
	}
	if _, err := f.Faults().Add(fault.Rule{Kind: fault.TargetFailure, TargetGroup: "blue", FailRate: 1}); err != nil {
		t.Fatal(err)
	}
	status, text := f.get(t, http.MethodGet, w.URL+"/", "")
	if status != 0 || !strings.Contains(text, "reset") {
		t.Errorf("%d %s", status, text)
	}
	if got := f.Counters().Flows.Listeners[0].Resets; got == 0 {
		t.Error("the load balancer saw no reset")
	}
}
