package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	sigV4 = "AWS4-HMAC-SHA256"
	// amzDate is the layout of X-Amz-Date.
	amzDate = "20060102T150405Z"
	// signatureLife is how far a signature's time may be from now, either way. It also
	// is what a presigned URL lives: only S3 heeds X-Amz-Expires
	// (github.com/aws/aws-sdk-go/issues/2167).
	signatureLife = 15 * time.Minute
	maxExpires    = 604_800 // seconds, of X-Amz-Expires
)

// credentials are what SigV4 tells about a caller, and its proof; all empty for an
// unsigned request.
type credentials struct {
	accessKeyID, date, region, service string // the credential scope; date is YYYYMMDD
	token                              string // of temporary credentials

	time      string // X-Amz-Date
	headers   string // that are signed, joined by ";"
	signature string // hexadecimal
	presigned bool   // all of this stands in the URL
}

// credentialsOf reads the Authorization header, or the query string of a presigned URL.
// It does not judge the proof.
func credentialsOf(hr *http.Request) (credentials, error) {
	q := hr.URL.Query()
	c := credentials{token: hr.Header.Get("X-Amz-Security-Token"), time: hr.Header.Get("X-Amz-Date")}
	var scope string
	switch auth := hr.Header.Get("Authorization"); {
	case auth != "":
		algorithm, fields, _ := strings.Cut(auth, " ")
		for f := range strings.SplitSeq(fields, ",") {
			switch k, v, _ := strings.Cut(strings.TrimSpace(f), "="); k {
			case "Credential":
				scope = v
			case "SignedHeaders":
				c.headers = v
			case "Signature":
				c.signature = v
			}
		}
		if algorithm != sigV4 || scope == "" {
			return credentials{}, Errorf("IncompleteSignature", "the Authorization header is not %s with a Credential", sigV4)
		}
	case q.Has("X-Amz-Credential"):
		scope = q.Get("X-Amz-Credential")
		c = credentials{
			token: known(c.token, q.Get("X-Amz-Security-Token")), time: q.Get("X-Amz-Date"),
			headers: q.Get("X-Amz-SignedHeaders"), signature: q.Get("X-Amz-Signature"), presigned: true,
		}
	default:
		return credentials{}, nil
	}
	part := strings.Split(scope, "/")
	if len(part) != 5 || part[0] == "" || part[2] == "" || part[3] == "" || part[4] != "aws4_request" {
		return credentials{}, Errorf("IncompleteSignature",
			"credential %.200q is not KEY/DATE/REGION/SERVICE/aws4_request", scope)
	}
	c.accessKeyID, c.date, c.region, c.service = part[0], part[1], part[2], part[3]
	return c, nil
}

// verify refuses a call that is not signed as SigV4 wants, with the secret of the key
// that it names. body is as it was sent.
func (m *Mux) verify(req *Request, c credentials, body []byte) error {
	if c.accessKeyID == "" {
		if m.cfg.Unsigned != nil && m.cfg.Unsigned(req) {
			return nil
		}
		return refuse(req, unsigned, "Request is missing Authentication Token")
	}
	var secret string
	ok := false
	if m.cfg.Secret != nil {
		secret, ok = m.cfg.Secret(c.accessKeyID)
	}
	if !ok {
		return refuse(req, unknownKey, "The security token included in the request is invalid.")
	}
	if err := c.wellFormed(req); err != nil {
		return err
	}
	if err := c.inTime(req, m.cfg.Now().UTC()); err != nil {
		return err
	}
	hash := sha256.Sum256(body)
	payload := hex.EncodeToString(hash[:])
	want := hmacSHA256(c.key(secret), c.stringToSign(canonicalRequest(req.HTTP, c.headers, payload)))
	got, err := hex.DecodeString(c.signature)
	if err != nil || !hmac.Equal(want, got) {
		return refuse(req, mismatch, "The request signature we calculated does not match the signature you provided. "+
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

// wellFormed refuses a signature that leaves open what AWS wants fixed.
func (c credentials) wellFormed(req *Request) error {
	if c.headers == "" || c.signature == "" || c.time == "" {
		return refuse(req, incomplete, "The signature needs SignedHeaders, Signature and X-Amz-Date, and lacks at least one of them")
	}
	if q := req.HTTP.URL.Query(); c.presigned {
		if a := q.Get("X-Amz-Algorithm"); a != sigV4 {
			return refuse(req, incomplete, fmt.Sprintf("X-Amz-Algorithm %.40q is not %s", a, sigV4))
		}
		if e := q.Get("X-Amz-Expires"); e != "" {
			if n, err := strconv.Atoi(e); err != nil || n < 0 || n > maxExpires {
				return refuse(req, incomplete, fmt.Sprintf("X-Amz-Expires %.40q is not a number of seconds in 0–%d", e, maxExpires))
			}
		}
	}
	if c.service != req.Service {
		return refuse(req, mismatch, fmt.Sprintf("Credential should be scoped to correct service: '%s'.", req.Service))
	}
	signed := strings.Split(c.headers, ";")
	if !slices.Contains(signed, "host") {
		return refuse(req, mismatch, "'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range req.HTTP.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") && !slices.Contains(signed, lower) {
			return refuse(req, mismatch, "There were headers present in the request which were not signed: "+lower)
		}
	}
	return nil
}

// inTime refuses a signature that is too old or from the future.
func (c credentials) inTime(req *Request, now time.Time) error {
	at, err := time.Parse(amzDate, c.time)
	if err != nil {
		return refuse(req, incomplete, fmt.Sprintf("Date must be in ISO-8601 'basic format'. Got '%.40s'. See http://en.wikipedia.org/wiki/ISO_8601", c.time))
	}
	if day, _, _ := strings.Cut(c.time, "T"); day != c.date {
		return refuse(req, mismatch, fmt.Sprintf(
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%.40s' != '%s', from '%s'.", c.date, day, c.time))
	}
	minutes := int(signatureLife.Minutes())
	switch oldest, newest := now.Add(-signatureLife), now.Add(signatureLife); {
	case at.Before(oldest):
		return refuse(req, expired, fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - %d min.)",
			c.time, oldest.Format(amzDate), now.Format(amzDate), minutes))
	case at.After(newest):
		return refuse(req, expired, fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + %d min.)",
			c.time, newest.Format(amzDate), now.Format(amzDate), minutes))
	}
	return nil
}

func (c credentials) stringToSign(canonical string) string {
	hash := sha256.Sum256([]byte(canonical))
	scope := strings.Join([]string{c.date, c.region, c.service, "aws4_request"}, "/")
	return strings.Join([]string{sigV4, c.time, scope, hex.EncodeToString(hash[:])}, "\n")
}

// key is the signing key for the credential scope.
func (c credentials) key(secret string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{c.date, c.region, c.service, "aws4_request"} {
		key = hmacSHA256(key, part)
	}
	return key
}

func hmacSHA256(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data)) // a hash does not fail
	return h.Sum(nil)
}

// canonicalRequest is what AWS's reference "Create a signed AWS API request" makes of a
// request. headers are the signed ones, joined by ";"; payload is the body's hash.
func canonicalRequest(hr *http.Request, headers, payload string) string {
	var b strings.Builder
	for _, s := range []string{hr.Method, canonicalPath(hr.URL), canonicalQuery(hr.URL)} {
		b.WriteString(s + "\n")
	}
	for name := range strings.SplitSeq(headers, ";") {
		b.WriteString(name + ":" + canonicalHeader(hr, name) + "\n")
	}
	b.WriteString("\n" + headers + "\n" + payload)
	return b.String()
}

// canonicalPath is the path without dot segments and empty ones, escaped once more than
// it is on the wire: for every service but S3, what is escaped is what was sent.
func canonicalPath(u *url.URL) string {
	sent := u.EscapedPath()
	var kept []string
	for s := range strings.SplitSeq(sent, "/") {
		switch s {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, escape(s))
		}
	}
	path := "/" + strings.Join(kept, "/")
	if strings.HasSuffix(sent, "/") && len(kept) > 0 {
		path += "/"
	}
	return path
}

func canonicalQuery(u *url.URL) string {
	var pairs []string
	for k, values := range u.Query() {
		if k == "X-Amz-Signature" {
			continue
		}
		for _, v := range values {
			pairs = append(pairs, escape(k)+"="+escape(v))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// canonicalHeader is the value of a header, given in lower case. net/http keeps two of
// them elsewhere.
func canonicalHeader(hr *http.Request, name string) string {
	values := hr.Header[textproto.CanonicalMIMEHeaderKey(name)]
	switch {
	case name == "host":
		values = []string{hr.Host}
	case name == "content-length" && len(values) == 0:
		values = []string{strconv.FormatInt(hr.ContentLength, 10)}
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(trimmed, ",")
}

// escape escapes everything but RFC 3986's unreserved characters.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
