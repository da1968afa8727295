package kubeapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// What a token is made of, as sigs.k8s.io/aws-iam-authenticator has it.
const (
	tokenPrefix   = "k8s-aws-v1." //nolint:gosec // G101: every token begins so
	maxTokenSize  = 4096          // bytes
	tokenLife     = 15 * time.Minute
	maxExpires    = 900 // seconds, of X-Amz-Expires
	clusterHeader = "x-k8s-aws-id"
	amzDate       = "20060102T150405Z"
)

// errNoToken is of bearer tokens that are none of EKS's, such as service accounts'.
var errNoToken = errors.New("it does not begin with " + tokenPrefix + " as tokens of EKS do")

// tokenParameters are the ones that the URL in a token may have, in lower case.
func tokenParameters() []string {
	return []string{
		"action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-security-token",
		"x-amz-signature", "x-amz-signedheaders",
	}
}

// stsHost is a host name of STS. Its groups are the region, if it has one, and the DNS suffix.
var stsHost = regexp.MustCompile(`^sts(?:-fips)?(?:\.([a-z]{2}(?:-[a-z]+)+-\d))?\.(amazonaws\.com(?:\.cn)?|api\.aws)$`)

// identity of a caller whom STS knows.
type identity struct {
	Account   string
	ARN       string // as GetCallerIdentity names it: of a user, or of a role's session
	Principal string // of the user, or of the role with its path
	UserID    string
	Session   string // name of the role's session; "" for users
	KeyID     string
}

// canonical is the ARN that aws-iam-authenticator maps: a role's without its path, which
// cannot be told from its session.
func (i identity) canonical() string {
	part := strings.Split(i.ARN, "/")
	head, isSession := strings.CutSuffix(part[0], ":assumed-role")
	if !isSession || len(part) != 3 {
		return i.ARN
	}
	return strings.Replace(head, ":sts:", ":iam:", 1) + ":role/" + part[1]
}

// verifier of tokens. It asks the simulated STS as the real one is asked: by the presigned
// call itself, with the cluster's name in the header that was signed.
type verifier struct {
	sts      *sts.Service
	mux      *wire.Mux
	now      func() time.Time
	endpoint func() string // of the lab, which AWS_ENDPOINT_URL puts into tokens; may be ""
}

func newVerifier(s *sts.Service, now func() time.Time, endpoint func() string) *verifier {
	mux := wire.NewMux(wire.Config{Resolve: s.Resolve, Check: s.Check, Secret: s.Secret, VerifySignatures: true, Now: now})
	mux.Register(s.Registration())
	return &verifier{s, mux, now, endpoint}
}

// verify a token for a cluster. Keys that the lab has not made are nobody's here, even
// where its API takes them: what they sign cannot be verified. Errors never hold the
// token, nor any part of it that is secret.
func (v *verifier) verify(ctx context.Context, token string, cluster arn) (identity, error) {
	u, err := parseToken(token)
	if err != nil {
		return identity{}, err
	}
	query, err := tokenQuery(u)
	if err != nil {
		return identity{}, err
	}
	if err := v.checkHost(u, query["x-amz-credential"], cluster); err != nil {
		return identity{}, err
	}
	if err := v.checkQuery(query); err != nil {
		return identity{}, err
	}
	return v.ask(ctx, u, cluster.name)
}

// parseToken reads the URL that a token is.
func parseToken(token string) (*url.URL, error) {
	text, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		return nil, errNoToken
	}
	if len(token) > maxTokenSize {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(token), maxTokenSize)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("it is not base64url without padding")
	}
	u, err := url.Parse(string(raw))
	if err != nil {
		return nil, errors.New("it holds no URL")
	}
	if u.Path != "/" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return nil, errors.New("its URL is more than a host, the path / and a query")
	}
	return u, nil
}

// tokenQuery reads the parameters, by their names in lower case.
func tokenQuery(u *url.URL) (map[string]string, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("its URL's query is malformed")
	}
	out := map[string]string{}
	for name, values := range query {
		lower := strings.ToLower(name)
		if !slices.Contains(tokenParameters(), lower) {
			return nil, fmt.Errorf("the parameter %.40q is not allowed", name)
		}
		if _, twice := out[lower]; twice || len(values) != 1 {
			return nil, fmt.Errorf("the parameter %s is there more than once", lower)
		}
		out[lower] = values[0]
	}
	return out, nil
}

// checkHost wants STS, of the cluster's partition, or the lab's own endpoint: on AWS only
// the former is taken, and only by https.
func (v *verifier) checkHost(u *url.URL, credential string, cluster arn) error {
	if v.isLab(u) {
		return nil
	}
	host := stsHost.FindStringSubmatch(u.Host)
	if u.Scheme != "https" || host == nil {
		return fmt.Errorf("%.20q %.100q is not https and a host of STS, nor the lab's endpoint", u.Scheme, u.Host)
	}
	region := host[1]
	if region == "" {
		region = "us-east-1" // of the global endpoint, which only the partition aws has
	}
	if partition := wire.Partition(region); partition != cluster.partition || (host[2] == "amazonaws.com.cn") != (partition == "aws-cn") {
		return fmt.Errorf("the host %.100q is not of the cluster's partition %s", u.Host, cluster.partition)
	}
	if scope := strings.Split(credential, "/"); len(scope) == 5 && scope[2] != region {
		return fmt.Errorf("the credential's region %.40q is not that of the host %.100q", scope[2], u.Host)
	}
	return nil
}

// isLab tells whether a URL has the port of the lab, on loopback or where it listens.
func (v *verifier) isLab(u *url.URL) bool {
	lab, err := url.Parse(v.endpoint())
	if err != nil || lab.Host == "" || u.Scheme != lab.Scheme {
		return false
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil || port != lab.Port() {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || host == lab.Hostname() || err == nil && addr.IsLoopback()
}

// checkQuery checks what the authenticator looks at before it asks STS.
func (v *verifier) checkQuery(query map[string]string) error {
	if a := query["action"]; a != "GetCallerIdentity" {
		return fmt.Errorf("the action %.40q is not GetCallerIdentity", a)
	}
	signed := strings.Split(strings.ToLower(query["x-amz-signedheaders"]), ";")
	if !slices.Contains(signed, clusterHeader) {
		return fmt.Errorf("the header %s is not signed", clusterHeader)
	}
	if n, err := strconv.Atoi(query["x-amz-expires"]); err != nil || n < 0 || n > maxExpires {
		return fmt.Errorf("X-Amz-Expires %.20q is not a number of seconds in 0–%d", query["x-amz-expires"], maxExpires)
	}
	at, err := time.Parse(amzDate, query["x-amz-date"])
	if err != nil {
		return fmt.Errorf("X-Amz-Date %.40q is not a time such as 20260102T030405Z", query["x-amz-date"])
	}
	if now := v.now().UTC(); now.After(at.Add(tokenLife)) {
		return fmt.Errorf("it is of %s, older than %s", query["x-amz-date"], tokenLife)
	}
	return nil
}

// ask STS who made the presigned call.
func (v *verifier) ask(ctx context.Context, u *url.URL, cluster string) (identity, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return identity{}, errors.New("its URL cannot be asked for")
	}
	r.Header.Set(clusterHeader, cluster)
	r.Header.Set("Accept", "application/json")
	w := &answer{header: http.Header{}, status: http.StatusOK}
	v.mux.ServeHTTP(w, r)
	if w.status != http.StatusOK {
		var refusal struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(w.body.Bytes(), &refusal); err != nil || refusal.Error.Code == "" {
			return identity{}, fmt.Errorf("STS answers %d", w.status)
		}
		return identity{}, fmt.Errorf("STS refuses: %s: %s", refusal.Error.Code, refusal.Error.Message)
	}
	var out struct {
		GetCallerIdentityResponse struct {
			GetCallerIdentityResult struct{ Account, Arn, UserId string }
		}
	}
	if err := json.Unmarshal(w.body.Bytes(), &out); err != nil {
		return identity{}, fmt.Errorf("STS's answer: %w", err)
	}
	who := out.GetCallerIdentityResponse.GetCallerIdentityResult
	keyID, _, _ := strings.Cut(u.Query().Get("X-Amz-Credential"), "/")
	id := identity{Account: who.Account, ARN: who.Arn, Principal: who.Arn, UserID: who.UserId, KeyID: keyID}
	if p, ok := v.sts.Caller(keyID); ok && p.RoleARN != "" {
		id.Principal = p.RoleARN
		id.Session = who.Arn[strings.LastIndex(who.Arn, "/")+1:]
	}
	return id, nil
}

// answer of a handler, kept.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *answer) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *answer) WriteHeader(status int) { w.status = status }

// Write implements http.ResponseWriter.
func (w *answer) Write(b []byte) (int, error) { return w.body.Write(b) }

// arn of a cluster, in its parts.
type arn struct{ text, partition, region, account, name string }

func parseARN(text string) (arn, error) {
	part := strings.SplitN(text, ":", 6)
	if len(part) != 6 || part[0] != "arn" || part[2] != "eks" {
		return arn{}, fmt.Errorf("%.200q is not the ARN of an EKS cluster", text)
	}
	name, ok := strings.CutPrefix(part[5], "cluster/")
	if !ok || name == "" {
		return arn{}, fmt.Errorf("%.200q is not the ARN of an EKS cluster", text)
	}
	return arn{text, part[1], part[3], part[4], name}, nil
}
