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
	d := &net.Dialer{Timeout: 5 * time.Second, Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, l.DNS)
	}}}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}}
	return l.send(t, client, "http://"+net.JoinHostPort(name, port), name, rate)
}
