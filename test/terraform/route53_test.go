package terraform

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// recordSet is a weighted alias, as Route 53's REST API has it.
type recordSet struct {
	Name, Type, SetIdentifier string
	Weight                    int
	AliasTarget               struct {
		HostedZoneID         string `xml:"HostedZoneId"`
		DNSName              string
		EvaluateTargetHealth bool
	}
}

// route53 calls the REST API of Route 53 below the hosted zone.
func (l *lab) route53(t *testing.T, method, query string, body []byte, out any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, l.Endpoint+"/2013-04-01/hostedzone/"+l.HostedZoneID+"/rrset"+query, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	c := aws.Credentials{AccessKeyID: "FAKEKEYOFTHETEST", SecretAccessKey: "fake"}
	if err := v4.NewSigner().SignHTTP(t.Context(), c, req, hex.EncodeToString(sum[:]), "route53", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var text bytes.Buffer
	if _, err := text.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s rrset%s: %s\n%s", method, query, resp.Status, text.String())
	}
	if out != nil {
		if err := xml.Unmarshal(text.Bytes(), out); err != nil {
			t.Fatalf("%v in:\n%s", err, text.String())
		}
	}
}

// records of a name, of any type.
func (l *lab) records(t *testing.T, name string) []recordSet {
	t.Helper()
	var out struct {
		Sets []recordSet `xml:"ResourceRecordSets>ResourceRecordSet"`
	}
	l.route53(t, http.MethodGet, "?maxitems=100&name="+url.QueryEscape(name), nil, &out)
	var sets []recordSet
	for _, s := range out.Sets {
		if strings.TrimSuffix(s.Name, ".") == name {
			sets = append(sets, s)
		}
	}
	return sets
}

// recordWeights of a name that are live, as blue:green.
func (l *lab) recordWeights(t *testing.T, name string) string {
	t.Helper()
	w := map[string]int{}
	for _, s := range l.records(t, name) {
		w[s.SetIdentifier] = s.Weight
	}
	return fmt.Sprintf("%d:%d", w["blue"], w["green"])
}

// setRecordWeights as somebody else would.
func (l *lab) setRecordWeights(t *testing.T, name string, blue, green int) {
	t.Helper()
	type change struct {
		Action            string
		ResourceRecordSet recordSet
	}
	var batch struct {
		XMLName xml.Name `xml:"https://route53.amazonaws.com/doc/2013-04-01/ ChangeResourceRecordSetsRequest"`
		Changes []change `xml:"ChangeBatch>Changes>Change"`
	}
	for _, s := range l.records(t, name) {
		s.Weight = map[string]int{"blue": blue, "green": green}[s.SetIdentifier]
		batch.Changes = append(batch.Changes, change{"UPSERT", s})
	}
	body, err := xml.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	l.route53(t, http.MethodPost, "/", body, nil)
	if w := l.recordWeights(t, name); w != fmt.Sprintf("%d:%d", blue, green) {
		t.Fatalf("the weights are %s, and %d:%d were written", w, blue, green)
	}
}

// noRecordMark fails when something of a shift is left beside the name.
func (l *lab) noRecordMark(t *testing.T, name string) {
	t.Helper()
	if left := l.records(t, "_norikae."+name); len(left) != 0 {
		t.Errorf("left beside %s: %v", name, left)
	}
}

// writtenTo are the weights that calls gave the A records of a name, as blue:green.
func writtenTo(name string, calls []call) (out []string) {
	for _, c := range calls {
		blue, isBlue := c.Weights[name+" A blue"]
		green, isGreen := c.Weights[name+" A green"]
		if c.Effect && isBlue && isGreen {
			out = append(out, fmt.Sprintf("%d:%d", blue, green))
		}
	}
	return out
}

// requestsTo sends requests to a name at a steady rate, as requests does. Each looks the
// name up at the lab's name server, and makes a connection of its own: a bad answer is a
// lost request.
func (l *lab) requestsTo(t *testing.T, name string, rate int) (stop func() counts) {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(strings.TrimSuffix(l.URL, "/"), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	d := &net.Dialer{Timeout: 5 * time.Second, Resolver: l.resolver()}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}}
	return l.send(t, client, "http://"+net.JoinHostPort(name, port), name, rate)
}

// resolver asks the lab's name server, and keeps no answer.
func (l *lab) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, l.DNS)
	}}
}

// theName is the lab's own, with records for blue and green.
const (
	theName     = "api.example.com"
	nameAddress = "eksctl_courier_route53_record.this"
)

// record is a courier of the lab's name that moves all in two steps. The rest is HCL.
func (l *lab) record(blue, green int, rest string) string {
	destination := func(id string, weight int) string {
		lb := ""
		for _, d := range l.Destinations {
			if d.SetIdentifier == id {
				lb = d.LoadBalancerARN
			}
		}
		return fmt.Sprintf("  destination {\n    set_identifier    = %q\n    load_balancer_arn = %q\n    weight            = %d\n  }\n", id, lb, weight)
	}
	return fmt.Sprintf("resource \"eksctl_courier_route53_record\" \"this\" {\n  zone_id       = %q\n  name          = %q\n  step_weight   = 50\n  step_interval = \"1s\"\n  bake          = \"1s\"\n%s%s%s\n}\n",
		l.HostedZoneID, theName, destination("blue", blue), destination("green", green), rest)
}

func startRoute53Lab(t *testing.T) *lab {
	t.Helper()
	l := startLab(t, "--seed", "route53", "--propagation", "500ms", "--alias-ttl", "1s")
	until(t, "the lab's own records are in force", func() bool {
		addresses, err := l.resolver().LookupHost(t.Context(), theName)
		return err == nil && len(addresses) > 0
	})
	return l
}

func TestACourierOfANameMovesTrafficAndShowsWhatOthersWrite(t *testing.T) {
	t.Parallel()
	l := startRoute53Lab(t)
	stop := l.requestsTo(t, theName, 50)
	f := l.folder(t, l.record(100, 0, ""))
	f.apply(t)
	if w := writtenTo(theName, l.calls(t)); len(w) != 0 {
		t.Errorf("the records were as declared, and weights were written: %v", w)
	}
	before := len(l.calls(t))
	f.write(t, l.record(0, 100, ""))
	f.apply(t)
	if got, want := writtenTo(theName, l.calls(t)[before:]), []string{"50:50", "0:100"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
	l.noRecordMark(t, theName)
	before = len(l.calls(t))
	f.empty(t)
	if calls := l.calls(t)[before:]; len(calls) > 2 || len(mutations(calls)) != 0 {
		t.Errorf("a plan with no change made the calls %v, want two at most, and none that writes", calls)
	}
	// T2: somebody else.
	l.setRecordWeights(t, theName, 70, 30)
	before = len(l.calls(t))
	contains(t, f.pending(t), "70", "30", "planned_steps")
	if m := mutations(l.calls(t)[before:]); len(m) != 0 {
		t.Errorf("a plan wrote: %v", m)
	}
	f.apply(t)
	if w := l.recordWeights(t, theName); w != "0:100" {
		t.Errorf("live %s, declared 0:100", w)
	}
	f.empty(t)
	stop().nothingLost(t)
}

func TestACourierOfANameIsImportedByZoneNameAndType(t *testing.T) {
	t.Parallel()
	l := startRoute53Lab(t)
	f := l.folder(t, l.record(100, 0, `record_types = ["A"]`))
	f.ok(t, "import", "-no-color", nameAddress, l.HostedZoneID+"/"+theName+"/A")
	got := f.attributes(t, nameAddress)
	if got["zone_id"] != l.HostedZoneID || got["name"] != theName || fmt.Sprint(got["record_types"]) != "[A]" || declared(got) != "100:0" {
		t.Errorf("imported %v", got)
	}
	f.apply(t) // what only the configuration knows
	f.empty(t)
	if m := mutations(l.calls(t)); len(m) != 0 {
		t.Errorf("an import, an apply of the same weights and a plan wrote: %v", m)
	}
}

// The records are not ours: without this resource they are as they were with it.
func TestDestroyOfACourierOfANameLeavesItsRecords(t *testing.T) {
	t.Parallel()
	l := startRoute53Lab(t)
	f := l.folder(t, l.record(100, 0, ""))
	f.apply(t)
	was := l.records(t, theName)
	f.ok(t, "destroy", "-auto-approve", "-no-color")
	if s := f.state(t); len(s) != 0 {
		t.Errorf("destroyed, and the state has %v", s)
	}
	if now := l.records(t, theName); !slices.Equal(now, was) {
		t.Errorf("the records are %v, and were %v", now, was)
	}
	l.noRecordMark(t, theName)
	if w := writtenTo(theName, l.calls(t)); len(w) != 0 {
		t.Errorf("a destroy wrote weights: %v", w)
	}
}

func TestARollbackOfANameIsAnErrorAndTheStateIsWhatIsLive(t *testing.T) {
	t.Parallel()
	l := startRoute53Lab(t)
	f := l.folder(t, l.record(100, 0, ""))
	f.apply(t)
	defer l.load(t, 100)()
	l.fault(t, `{"kind":"target","targetGroup":"green","failRate":1}`)
	f.write(t, l.record(0, 100, ""))
	before := len(l.calls(t))
	said := f.fails(t, "apply", "-auto-approve").errors()
	contains(t, said, "The shift was rolled back", "metric builtin/target-errors: new 1, old 0", "Traffic now: blue 100 (100%), green 0 (0%).", "apply again")
	if got, want := writtenTo(theName, l.calls(t)[before:]), []string{"50:50", "100:0"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
	l.noRecordMark(t, theName)
	if got := declared(f.attributes(t, nameAddress)); got != "100:0" {
		t.Errorf("live is 100:0, and the state has %s", got)
	}
	f.pending(t) // T1: the change is not done
}

// No data is no success: without requests the first step waits, says so, and goes back.
func TestACourierOfANameThatNobodyUsesEndsAndSaysWhy(t *testing.T) {
	t.Parallel()
	l := startRoute53Lab(t)
	f := l.folder(t, l.record(100, 0, `max_hold = "5s"`))
	f.apply(t)
	f.write(t, l.record(0, 100, `max_hold = "5s"`))
	contains(t, f.pending(t), "a load balancer without requests", "reports nothing")
	before := len(l.calls(t))
	contains(t, f.fails(t, "apply", "-auto-approve").errors(), "The shift was rolled back", "no requests of green", "Traffic now: blue 100 (100%), green 0 (0%).")
	if got, want := writtenTo(theName, l.calls(t)[before:]), []string{"50:50", "100:0"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
	l.noRecordMark(t, theName)
	f.write(t, l.record(0, 100, "builtin_analysis = false"))
	f.apply(t)
	if w := l.recordWeights(t, theName); w != "0:100" {
		t.Errorf("live %s, declared 0:100", w)
	}
	f.empty(t)
}

// A file of the old provider, whose records are made by the same apply: no metric, no load
// balancer, and nobody asks for the name yet.
func TestAnOldFileOfANewNameIsTakenAndSaysThatNothingMeasures(t *testing.T) {
	t.Parallel()
	l := startRoute53Lab(t)
	hcl := func(blue, green int) string {
		return fmt.Sprintf(`
resource "aws_route53_record" "cluster" {
  for_each       = { blue = 1, green = 0 }
  zone_id        = %[1]q
  name           = "new.example.com"
  type           = "A"
  ttl            = 1
  records        = ["127.0.0.1"]
  set_identifier = each.key
  weighted_routing_policy {
    weight = each.value
  }
  lifecycle {
    ignore_changes = [weighted_routing_policy]
  }
}

resource "eksctl_courier_route53_record" "this" {
  zone_id       = %[1]q
  name          = "new.example.com"
  step_weight   = "50"
  step_interval = "1s"
  bake          = "1s"
  destination {
    set_identifier = aws_route53_record.cluster["blue"].set_identifier
    weight         = %[2]d
  }
  destination {
    set_identifier = aws_route53_record.cluster["green"].set_identifier
    weight         = %[3]d
  }
}
`, l.HostedZoneID, blue, green)
	}
	f := l.folder(t, hcl(1, 0))
	contains(t, f.ok(t, "apply", "-auto-approve", "-no-color").String(), "Nothing measures this shift", "If this apply makes the records first, all is well")
	f.empty(t)
	f.write(t, hcl(0, 1))
	f.apply(t)
	if w := l.recordWeights(t, "new.example.com"); w != "0:1" {
		t.Errorf("live %s, declared 0:1", w)
	}
	f.empty(t)
}
