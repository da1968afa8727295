package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// query calls services of which too few calls are made here to be worth a client of the SDK.
type query struct {
	config aws.Config
	client *http.Client
}

func newQuery(cfg aws.Config) *query {
	return &query{config: cfg, client: &http.Client{Timeout: time.Minute}}
}

// versions of the services' interfaces.
func (*query) version(service string) string {
	return map[string]string{"ec2": "2016-11-15", "iam": "2010-05-08"}[service]
}

// failure is an error of a service.
type failure struct {
	Code    string
	Message string
}

func (f *failure) Error() string { return f.Code + ": " + f.Message }

// call an action with these parameters, and put its answer into out, by the names of its
// elements.
func (q *query) call(ctx context.Context, service, action string, parameters map[string]string, out any) error {
	form := url.Values{"Action": {action}, "Version": {q.version(service)}}
	for k, v := range parameters {
		form.Set(k, v)
	}
	raw, status, err := q.send(ctx, service, http.MethodPost, "/", form.Encode())
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s: %w", action, failureOf(status, raw))
	}
	if out == nil {
		return nil
	}
	if err := xml.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("the answer to %s: %w", action, err)
	}
	return nil
}

func failureOf(status int, raw []byte) error {
	var e struct {
		// Each has it in another place.
		IAM failure `xml:"Error"`
		EC2 failure `xml:"Errors>Error"`
	}
	if err := xml.Unmarshal(raw, &e); err == nil {
		for _, f := range []*failure{&e.IAM, &e.EC2} {
			if f.Code != "" {
				return f
			}
		}
	}
	return &failure{Code: http.StatusText(status), Message: string(raw)}
}

// send a signed request, and give what is answered and its status.
func (q *query) send(ctx context.Context, service, method, path, body string) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, method, aws.ToString(q.config.BaseEndpoint)+path, strings.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	keys, err := q.config.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("credentials: %w", err)
	}
	region := q.config.Region
	if service == "iam" {
		region = "us-east-1" // IAM is global, and signed there
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, keys, req, hex.EncodeToString(sum[:]), service, region, time.Now()); err != nil {
		return nil, 0, fmt.Errorf("signing: %w", err)
	}
	resp, err := q.client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	return raw, resp.StatusCode, err
}
