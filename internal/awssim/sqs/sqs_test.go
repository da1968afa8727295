package sqs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/sqs"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// lab is the service behind the wire, and the real SDK as one account's client.
type lab struct {
	testing.TB
	*sdk.Client

	service *sqs.Service
	calls   wiretest.Calls
	mux     *wire.Mux
}

func newLab(t testing.TB, cfg sqs.Config) *lab {
	l := &lab{TB: t, service: sqs.New(cfg)}
	l.mux = wire.NewMux(wire.Config{Observe: l.calls.Observe, Resolve: func(key string) string {
		if key == "AKIDOTHER" {
			return "111111111111"
		}
		return wire.DefaultAccountID
	}})
	l.mux.Register(l.service.Registration())
	l.Client = l.client("us-east-1", "AKIDEXAMPLE")
	return l
}

func (l *lab) client(region, key string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String("http://127.0.0.1:1"), HTTPClient: wiretest.Direct{Handler: l.mux}, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", ""),
	})
}

// queue makes one with attributes: name, value, name, value.
func (l *lab) queue(name string, attributes ...string) *string {
	l.Helper()
	return wiretest.Must(l.create(name, attributes...))(l).QueueUrl
}

func (l *lab) create(name string, attributes ...string) (*sdk.CreateQueueOutput, error) {
	in := &sdk.CreateQueueInput{QueueName: &name, Attributes: map[string]string{}}
	for i := 0; i < len(attributes); i += 2 {
		in.Attributes[attributes[i]] = attributes[i+1]
	}
	return l.CreateQueue(l.Context(), in)
}

func (l *lab) send(url *string, body string) {
	l.Helper()
	wiretest.Must(l.SendMessage(l.Context(), &sdk.SendMessageInput{QueueUrl: url, MessageBody: &body}))(l)
}

// receive up to ten messages within some seconds.
func (l *lab) receive(url *string, wait int32) []types.Message {
	l.Helper()
	return wiretest.Must(l.ReceiveMessage(l.Context(), &sdk.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait}))(l).Messages
}

func (l *lab) wantBodies(got []types.Message, want ...string) {
	l.Helper()
	var bodies []string
	for _, m := range got {
		bodies = append(bodies, *m.Body)
	}
	if fmt.Sprint(bodies) != fmt.Sprint(want) {
		l.Errorf("received %q, want %q", bodies, want)
	}
}

func (l *lab) attribute(url *string, name types.QueueAttributeName) string {
	l.Helper()
	return wiretest.Must(l.GetQueueAttributes(l.Context(), &sdk.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{name}}))(l).Attributes[string(name)]
}

// inLab runs a test in virtual time.
func inLab(t *testing.T, cfg sqs.Config, test func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newLab(t, cfg)) })
}

func TestEveryOperationIsAnsweredToTheRealSDK(t *testing.T) {
	inLab(t, sqs.Config{}, func(l *lab) {
		ctx, url := l.Context(), l.queue("events", "VisibilityTimeout", "60", "Policy", "{}")
		if again := l.queue("events", "VisibilityTimeout", "60", "Policy", "{}"); *again != *url || *url != "http://sqs.us-east-1.amazonaws.com/000000000000/events" {
			l.Errorf("made again it is %s, and first %s", *again, *url)
		}
		if got := wiretest.Must(l.GetQueueUrl(ctx, &sdk.GetQueueUrlInput{QueueName: aws.String("events")}))(l).QueueUrl; *got != *url {
			l.Errorf("its URL is %s", *got)
		}
		all := wiretest.Must(l.GetQueueAttributes(ctx, &sdk.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"All"}}))(l).Attributes
		if all["QueueArn"] != "arn:aws:sqs:us-east-1:000000000000:events" || all["VisibilityTimeout"] != "60" || all["MessageRetentionPeriod"] != "345600" {
			l.Errorf("attributes %v", all)
		}
		l.send(url, "one")
		l.send(url, "two ✓\n")
		out := wiretest.Must(l.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: url, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}}))(l).Messages
		l.wantBodies(out, "one")
		if out[0].Attributes["ApproximateReceiveCount"] != "1" || out[0].Attributes["SentTimestamp"] != fmt.Sprint(time.Now().UnixMilli()) {
			l.Errorf("attributes %v", out[0].Attributes)
		}
		wiretest.Must(l.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: url, ReceiptHandle: out[0].ReceiptHandle}))(l)
		two := l.receive(url, 0)
		l.wantBodies(two, "two ✓\n")
		batch := wiretest.Must(l.DeleteMessageBatch(ctx, &sdk.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{
			{Id: aws.String("a"), ReceiptHandle: two[0].ReceiptHandle}, {Id: aws.String("b"), ReceiptHandle: aws.String("nonsense")},
		}}))(l)
		if len(batch.Successful) != 1 || *batch.Successful[0].Id != "a" || len(batch.Failed) != 1 || *batch.Failed[0].Code != "ReceiptHandleIsInvalid" || !batch.Failed[0].SenderFault {
			l.Errorf("the batch went %+v %+v", batch.Successful, batch.Failed)
		}
		l.send(url, "three")
		wiretest.Must(l.PurgeQueue(ctx, &sdk.PurgeQueueInput{QueueUrl: url}))(l)
		l.wantBodies(l.receive(url, 1))
		if got := wiretest.Must(l.ListQueues(ctx, &sdk.ListQueuesInput{}))(l).QueueUrls; len(got) != 1 || got[0] != *url {
			l.Errorf("queues %v", got)
		}
		wiretest.Must(l.DeleteQueue(ctx, &sdk.DeleteQueueInput{QueueUrl: url}))(l)
		if got := wiretest.Must(l.ListQueues(ctx, &sdk.ListQueuesInput{}))(l).QueueUrls; len(got) != 0 {
			l.Errorf("queues %v", got)
		}
		l.calls.WantAll(l, "sqs", sqs.Operations())
	})
}

func TestAMessageIsHiddenUntilItsTimeoutAndComesAgain(t *testing.T) {
	inLab(t, sqs.Config{}, func(l *lab) {
		url := l.queue("events")
		l.send(url, "one")
		first := l.receive(url, 0)
		l.wantBodies(first, "one")
		l.wantBodies(l.receive(url, 0))
		if hidden := l.attribute(url, "ApproximateNumberOfMessagesNotVisible"); hidden != "1" {
			l.Errorf("%s hidden", hidden)
		}
		begin := time.Now()
		second := l.receive(url, 20)
		l.wantBodies(second)
		second = l.receive(url, 20)
		l.wantBodies(second, "one")
		if took := time.Since(begin); took != 30*time.Second {
			l.Errorf("it came again after %s", took)
		}
		remove := func(m types.Message) {
			wiretest.Must(l.DeleteMessage(l.Context(), &sdk.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle}))(l)
		}
		remove(first[0]) // the handle is old: no error, no effect
		if hidden := l.attribute(url, "ApproximateNumberOfMessagesNotVisible"); hidden != "1" {
			l.Errorf("%s hidden", hidden)
		}
		remove(second[0])
		remove(second[0])
		time.Sleep(time.Hour)
		l.wantBodies(l.receive(url, 0))
	})
}

func TestALongPollEndsWithTheFirstMessage(t *testing.T) {
	inLab(t, sqs.Config{}, func(l *lab) {
		url, begin := l.queue("events", "ReceiveMessageWaitTimeSeconds", "20", "DelaySeconds", "2"), time.Now()
		l.wantBodies(l.receive(url, 0)) // the SDK leaves zeros out: the queue's own 20 s
		if took := time.Since(begin); took != 20*time.Second {
			l.Errorf("an empty poll took %s", took)
		}
		time.AfterFunc(5*time.Second, func() { l.send(url, "late") })
		begin = time.Now()
		l.wantBodies(l.receive(url, 10), "late")
		if took := time.Since(begin); took != 7*time.Second {
			l.Errorf("it took %s; want 5 s until it is sent and 2 s of delay", took)
		}
	})
}

func TestAPollEndsWithItsCallerOrItsQueue(t *testing.T) {
	inLab(t, sqs.Config{}, func(l *lab) {
		url := l.queue("events")
		ctx, cancel := context.WithTimeout(l.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		_, err := l.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
		if took := time.Since(begin); err == nil || took != 3*time.Second {
			l.Errorf("%v after %s", err, took)
		}
		time.AfterFunc(time.Second, func() { wiretest.Must(l.DeleteQueue(l.Context(), &sdk.DeleteQueueInput{QueueUrl: url}))(l) })
		_, err = l.ReceiveMessage(l.Context(), &sdk.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
		if _, ok := errors.AsType[*types.QueueDoesNotExist](err); !ok {
			l.Errorf("its queue was deleted: %v", err)
		}
	})
}

func TestOneMessageGoesToOneOfManyPolls(t *testing.T) {
	inLab(t, sqs.Config{}, func(l *lab) {
		url, got := l.queue("events"), make(chan int)
		for range 3 {
			go func() { got <- len(l.receive(url, 20)) }()
		}
		synctest.Wait()
		l.send(url, "one")
		if n := <-got + <-got + <-got; n != 1 {
			l.Errorf("received %d times", n)
		}
	})
}

func TestMessagesExpire(t *testing.T) {
	inLab(t, sqs.Config{}, func(l *lab) {
		url := l.queue("events", "MessageRetentionPeriod", "60")
		l.send(url, "one")
		time.Sleep(time.Minute)
		l.wantBodies(l.receive(url, 0))
	})
}

func TestTaggedQueuesGetWhatIsSentToTheTag(t *testing.T) {
	inLab(t, sqs.Config{}, func(l *lab) {
		plain := l.queue("plain")
		tagged := wiretest.Must(l.CreateQueue(l.Context(), &sdk.CreateQueueInput{QueueName: aws.String("tagged"), Tags: map[string]string{"events": ""}}))(l).QueueUrl
		l.service.Send("events", "hello")
		l.service.Send("others", "bye")
		l.wantBodies(l.receive(plain, 0))
		l.wantBodies(l.receive(tagged, 0), "hello")
	})
}

func TestQueuesAreOfOneAccountAndRegion(t *testing.T) {
	inLab(t, sqs.Config{MaxPageSize: 2}, func(l *lab) {
		var urls []*string
		for _, name := range []string{"a-1", "a-2", "a-3", "b"} {
			urls = append(urls, l.queue(name))
		}
		for _, c := range []*sdk.Client{l.client("eu-west-1", "AKIDEXAMPLE"), l.client("us-east-1", "AKIDOTHER")} {
			_, err := c.ReceiveMessage(l.Context(), &sdk.ReceiveMessageInput{QueueUrl: urls[0]})
			wiretest.Refused(l, err, "AWS.SimpleQueueService.NonExistentQueue", "does not exist")
		}
		n := 0
		for p := sdk.NewListQueuesPaginator(l.Client, &sdk.ListQueuesInput{QueueNamePrefix: aws.String("a-"), MaxResults: aws.Int32(1000)}); p.HasMorePages(); {
			n += len(wiretest.Must(p.NextPage(l.Context()))(l).QueueUrls)
		}
		if n != 3 {
			l.Errorf("%d queues begin with a-", n)
		}
	})
}

func TestRefusalsSayWhatIsWrong(t *testing.T) {
	inLab(t, sqs.Config{}, func(l *lab) {
		ctx, url := l.Context(), l.queue("events", "MaximumMessageSize", "1024")
		other, long := aws.String(*url+"x"), strings.Repeat("x", 1025)
		entries := func(ids ...string) *sdk.DeleteMessageBatchInput {
			in := &sdk.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{}}
			for _, id := range ids {
				in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(id), ReceiptHandle: aws.String("x")})
			}
			return in
		}
		failed := func(_ any, err error) error { return err }
		for _, tc := range []struct {
			err           error
			code, message string
		}{
			{failed(l.create("a b")), "InvalidParameterValue", `"a b" can only include alphanumeric`},
			{failed(l.create("a.fifo")), "NotSimulated", "FIFO"},
			{failed(l.create("events", "MaximumMessageSize", "2048")), "QueueAlreadyExists", "different value"},
			{failed(l.create("x", "VisibilityTimeout", "43201")), "InvalidAttributeValue", `"43201" is not an integer from 0 to 43200`},
			{failed(l.create("x", "MaximumMessageSize", "1")), "InvalidAttributeValue", "from 1024 to 1048576"},
			{failed(l.create("x", "RedrivePolicy", "{}")), "NotSimulated", "RedrivePolicy"},
			{failed(l.create("x", "Colour", "red")), "InvalidAttributeName", "Colour"},
			{failed(l.GetQueueUrl(ctx, &sdk.GetQueueUrlInput{QueueName: aws.String("x")})), "AWS.SimpleQueueService.NonExistentQueue", ""},
			{failed(l.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: other, MessageBody: other})), "AWS.SimpleQueueService.NonExistentQueue", ""},
			{failed(l.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: url, MessageBody: aws.String("")})), "MissingParameter", "MessageBody"},
			{failed(l.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: url, MessageBody: &long})), "InvalidParameterValue", "1024 bytes"},
			{failed(l.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: url, MessageBody: aws.String("\x01")})), "InvalidMessageContents", "Invalid characters"},
			{failed(l.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: url, MessageBody: url, DelaySeconds: 901})), "InvalidParameterValue", "DelaySeconds"},
			{failed(l.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: url, MessageBody: url, MessageAttributes: map[string]types.MessageAttributeValue{"a": {DataType: aws.String("String"), StringValue: url}}})), "NotSimulated", "attributes"},
			{failed(l.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 11})), "InvalidParameterValue", "MaxNumberOfMessages"},
			{failed(l.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 21})), "InvalidParameterValue", "WaitTimeSeconds"},
			{failed(l.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: url, VisibilityTimeout: -1})), "InvalidParameterValue", "VisibilityTimeout"},
			{failed(l.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: url, ReceiptHandle: url})), "ReceiptHandleIsInvalid", "not a valid"},
			{failed(l.DeleteMessageBatch(ctx, entries())), "AWS.SimpleQueueService.EmptyBatchRequest", ""},
			{failed(l.DeleteMessageBatch(ctx, entries("a", "a"))), "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Id a"},
			{failed(l.DeleteMessageBatch(ctx, entries("a b"))), "AWS.SimpleQueueService.InvalidBatchEntryId", ""},
			{failed(l.DeleteMessageBatch(ctx, entries(strings.Split("abcdefghijk", "")...))), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "11"},
			{failed(l.GetQueueAttributes(ctx, &sdk.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"Colour"}})), "InvalidAttributeName", "Colour"},
			{failed(l.ListQueues(ctx, &sdk.ListQueuesInput{MaxResults: aws.Int32(1001)})), "InvalidParameterValue", "MaxResults"},
			{failed(l.ListQueues(ctx, &sdk.ListQueuesInput{NextToken: aws.String("?")})), "InvalidParameterValue", "NextToken"},
			{failed(l.TagQueue(ctx, &sdk.TagQueueInput{QueueUrl: url, Tags: map[string]string{"a": "b"}})), "NotSimulated", "TagQueue"},
		} {
			wiretest.Refused(l, tc.err, tc.code, tc.message)
		}
		wiretest.Must(l.PurgeQueue(ctx, &sdk.PurgeQueueInput{QueueUrl: url}))(l)
		wiretest.Refused(l, failed(l.PurgeQueue(ctx, &sdk.PurgeQueueInput{QueueUrl: url})), "AWS.SimpleQueueService.PurgeQueueInProgress", "60 seconds")
		wiretest.Must(l.DeleteQueue(ctx, &sdk.DeleteQueueInput{QueueUrl: url}))(l)
		wiretest.Refused(l, failed(l.create("events")), "AWS.SimpleQueueService.QueueDeletedRecently", "60 seconds")
		time.Sleep(time.Minute)
		l.queue("events")
	})
}

// Whatever is sent is received until it is deleted, and never while it is hidden.
func TestEveryMessageIsReceivedUntilItIsDeleted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := wiretest.NewClock(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
		s := sqs.New(sqs.Config{Now: clock.Now})
		serve := func(op string, p wire.Params) wire.Struct {
			out, err := s.Serve(t.Context(), &wire.Request{Operation: op, AccountID: "1", Region: "us-east-1", Params: p})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		url := serve("CreateQueue", wire.Params{"QueueName": "q"})[0].Value
		hidden, handles := map[string]time.Time{}, map[string]any{} // of what is not deleted, by body
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"send", "receive", "delete", "wait"}).Draw(t, "step") {
			case "send":
				body := fmt.Sprint(i)
				serve("SendMessage", wire.Params{"QueueUrl": url, "MessageBody": body})
				hidden[body] = time.Time{}
			case "receive":
				out := serve("ReceiveMessage", wire.Params{"QueueUrl": url, "MaxNumberOfMessages": int64(10)})
				list, _ := wiretest.At(out, "Messages").(wire.List)
				ready := 0
				for _, until := range hidden {
					if !clock.Now().Before(until) {
						ready++
					}
				}
				if len(list) != min(ready, 10) {
					t.Fatalf("%d came, %d were ready", len(list), ready)
				}
				for _, m := range list {
					body, _ := wiretest.At(m, "Body").(string)
					if until, ok := hidden[body]; !ok || clock.Now().Before(until) {
						t.Fatalf("%s came, hidden until %s (there: %t)", body, until, ok)
					}
					hidden[body], handles[body] = clock.Now().Add(30*time.Second), wiretest.At(m, "ReceiptHandle")
				}
			case "delete":
				for body, handle := range handles {
					serve("DeleteMessage", wire.Params{"QueueUrl": url, "ReceiptHandle": handle})
					delete(hidden, body)
					delete(handles, body)
					break
				}
			case "wait":
				clock.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second)
			}
		}
	})
}
