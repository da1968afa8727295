package awsconf

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// PlainBodies keeps net/http from seeing io.WriterTo on request bodies. The SDK closes a
// body as soon as the answer begins; its WriteTo then gives io.EOF as an error (its Read
// gives it as the end), which net/http takes for a failed write when it looks whether the
// body is longer than it should be, and closes the connection in the middle of the
// answer. Answers above 4 KiB run that race when the server is fast.
func PlainBodies(c aws.HTTPClient) aws.HTTPClient { return plainClient{c} }

type plainClient struct{ aws.HTTPClient }

// Do sends a request whose body can only be read and closed.
func (c plainClient) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return c.HTTPClient.Do(r)
	}
	plain := r.WithContext(r.Context())
	plain.Body = struct{ io.ReadCloser }{r.Body}
	return c.HTTPClient.Do(plain)
}
