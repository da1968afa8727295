package metric

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"
)

const (
	// maxBody bounds what is read of an answer, in bytes.
	maxBody = 1 << 20
	// httpTimeout bounds one request.
	httpTimeout = 15 * time.Second
)

// Answer is a source's HTTP answer, read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Address parses field, the base URL of a source: http or https, a host, perhaps a
// prefix of paths, and no query.
func Address(field, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", field, err)
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "":
		return nil, fmt.Errorf("%s: %q is not http(s)://HOST[:PORT]", field, u.Redacted())
	}
	return u, nil
}

// Client makes a copy of c (nil: one on Go's default transport, which verifies TLS)
// that follows no redirects: they would carry credentials in headers of our own to
// another host.
func Client(c *http.Client) *http.Client {
	if c == nil {
		c = &http.Client{}
	}
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// Get asks a source over HTTP. It reads at most 1 MiB, which is far more than the
// points of one window need.
func Get(ctx context.Context, c *http.Client, url string, header http.Header) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, httpTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return Answer{}, fmt.Errorf("making the request: %w", err)
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Accept", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("asking: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return Answer{}, fmt.Errorf("reading the answer: %w", err)
	}
	if len(body) > maxBody {
		return Answer{}, fmt.Errorf("the answer has more than %d bytes: narrow the query to one series", maxBody)
	}
	return Answer{resp.StatusCode, resp.Header, body}, nil
}

// Excerpt of an answer's body for a message: printable, at most 200 bytes.
func (a Answer) Excerpt() string {
	const most = 200
	b := a.Body
	if len(b) > most {
		b = b[:most]
	}
	return fmt.Sprintf("%q", b)
}
