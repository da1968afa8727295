package events

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/registry"
)

// world is a lab with a queue that its events come to, and the real SDK.
type world struct {
	*testing.T
	lab *awssim.Lab
	cfg aws.Config // as administrator
	sqs *sqs.Client
	url string
}

// inLab runs a test in virtual time.
func inLab(t *testing.T, cfg awssim.Config, test func(w *world)) {
	t.Helper()
	for _, k := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(k, "/dev/null")
	}
	synctest.Test(t, func(t *testing.T) {
		cfg.DataPlane = awssim.PlaneSynth
		lab := wiretest.Must(awssim.New(cfg))(t)
		defer func() {
			if err := lab.Close(); err != nil {
				t.Error(err)
			}
		}()
		w := &world{T: t, lab: lab}
		w.cfg = w.as(credentials.NewStaticCredentialsProvider("FAKEKEYOFTHELAB", "fake-secret-of-the-lab", ""))
		w.sqs = sqs.NewFromConfig(w.cfg)
		w.url = *wiretest.Must(w.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{
			QueueName: aws.String("norikae-events"), Tags: map[string]string{awssim.EventsTag: "yes"},
		}))(t).QueueUrl
		test(w)
	})
}

func (w *world) as(c aws.CredentialsProvider) aws.Config {
	w.Helper()
	return wiretest.Must(awsconf.Load(w.Context(), awsconf.Options{
		Region: awssim.Region, Endpoint: "http://127.0.0.1:1", HTTPClient: direct{wiretest.Direct{Handler: w.lab.Handler()}}, Credentials: c, Wait: Poll,
	}))(w.T)
}

// direct sends requests to the lab without a network, with the host that was signed.
type direct struct{ wiretest.Direct }

func (d direct) Do(r *http.Request) (*http.Response, error) {
	r = r.WithContext(r.Context())
	r.Host = r.URL.Host
	return d.Direct.Do(r)
}

func (w *world) send(body string) {
	w.Helper()
	wiretest.Must(w.sqs.SendMessage(w.Context(), &sqs.SendMessageInput{QueueUrl: &w.url, MessageBody: &body}))(w.T)
}

// left are the messages in the queue, hidden ones too.
func (w *world) left() string {
	w.Helper()
	a := wiretest.Must(w.sqs.GetQueueAttributes(w.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &w.url, AttributeNames: []sqstypes{"All"}}))(w.T).Attributes
	return a["ApproximateNumberOfMessages"] + "+" + a["ApproximateNumberOfMessagesNotVisible"]
}

// receive events in the background, until the returned function is called.
func (w *world) receive(api API, changed func(context.Context, []registry.ID) error) (r *Receiver, end func()) {
	w.Helper()
	r = wiretest.Must(New(Config{API: api, QueueURL: w.url, Changed: changed}))(w.T)
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	return r, func() {
		w.Helper()
		cancel()
		if err := <-done; err != nil {
			w.Errorf("told to end, it returned %v", err)
		}
	}
}
