package kubeapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxAnswer bounds an answer of the API server that is read, in bytes.
const maxAnswer = 8 << 20

// kubeconfig is the file by which a client gets in. JSON is YAML, too.
func kubeconfig(url string, ca []byte, who pair) ([]byte, error) {
	type object map[string]any
	cluster, user := object{"server": url}, object{}
	if ca != nil {
		cluster["certificate-authority-data"] = ca // as base64, as all []byte in JSON
	}
	if who.cert != nil {
		user["client-certificate-data"], user["client-key-data"] = who.cert, who.key
	}
	const name = "lab"
	b, err := json.MarshalIndent(object{
		"apiVersion": "v1", "kind": "Config", "current-context": name,
		"clusters": []object{{"name": name, "cluster": cluster}},
		"users":    []object{{"name": name, "user": user}},
		"contexts": []object{{"name": name, "context": object{"cluster": name, "user": name}}},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return b, nil
}

// client of an API server.
type client struct {
	url  string
	http *http.Client
}

func newClient(url string, ca []byte, who pair) (*client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the certificate authority is not a certificate in PEM")
	}
	cert, err := tls.X509KeyPair(who.cert, who.key)
	if err != nil {
		return nil, fmt.Errorf("the client's certificate: %w", err)
	}
	return &client{url, &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: roots, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12,
		}},
	}}, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// status of an answer that is no success.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string { return fmt.Sprintf("%d %s", e.status, e.message) }

// hasStatus tells whether err is an answer with that HTTP status.
func hasStatus(err error, status int) bool {
	e, ok := errors.AsType[*statusError](err)
	return ok && e.status == status
}

// do sends in as JSON, if it is not nil, and reads the answer into out, if that is not.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or the error is told
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %w", method, path, &statusError{resp.StatusCode, reason(b)})
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s %s: the answer: %w", method, path, err)
	}
	return nil
}

// reason is the message of a Status, or else the answer's beginning.
func reason(body []byte) string {
	var s struct{ Message string }
	if json.Unmarshal(body, &s) == nil && s.Message != "" {
		return s.Message
	}
	return string(body[:min(len(body), 200)])
}

// ready asks the API server whether it is.
func (c *client) ready(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, "/readyz", nil, nil)
}

// create an object, which may be there already.
func (c *client) create(ctx context.Context, path string, object any) error {
	if err := c.do(ctx, http.MethodPost, path, object, nil); !hasStatus(err, http.StatusConflict) {
		return err
	}
	return nil
}
