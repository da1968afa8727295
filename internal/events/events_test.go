package events

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/registry"
)

type sqstypes = types.QueueAttributeName

// told keeps what a Receiver has told, as NAME… for each call.
type told struct {
	fail func(names []string) error // called after the call is kept

	mu    sync.Mutex
	calls []string
}

func (s *told) changed(_ context.Context, ids []registry.ID) error {
	var names []string
	for _, id := range ids {
		names = append(names, id.Name)
	}
	s.mu.Lock()
	s.calls = append(s.calls, strings.Join(names, "+"))
	s.mu.Unlock()
	if s.fail != nil {
		return s.fail(names)
	}
	return nil
}

func (s *told) want(w *world, calls ...string) {
	w.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.calls, calls) {
		w.Errorf("told %q, want %q", s.calls, calls)
	}
	s.calls = nil
}

// created is an event about a cluster.
func created(name string) string {
	return `{"version":"0","source":"aws.eks","detail-type":"AWS API Call via CloudTrail","account":"111111111111","region":"eu-west-1","resources":[],
		"detail":{"eventSource":"eks.amazonaws.com","eventName":"CreateCluster","awsRegion":"eu-west-1","recipientAccountId":"111111111111","requestParameters":{"name":"` + name + `","tags":{"a":"b"}}}}`
}

func TestAChangedClusterIsToldOfWithinASecond(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		c, ctx := eks.NewFromConfig(w.cfg), w.Context()
		type heard struct {
			id registry.ID
			at time.Time
		}
		var got []heard
		r, end := w.receive(w.sqs, func(_ context.Context, ids []registry.ID) error {
			for _, id := range ids {
				got = append(got, heard{id, time.Now()})
			}
			return nil
		})
		begin := time.Now()
		time.Sleep(47 * time.Second) // polls come and go
		arn := wiretest.Must(c.CreateCluster(ctx, &eks.CreateClusterInput{
			Name: aws.String("blue"), RoleArn: aws.String("arn:aws:iam::000000000000:role/eks"), Version: aws.String("1.34"),
			ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-0a", "subnet-0b"}},
		}))(w.T).Cluster.Arn
		time.Sleep(29 * time.Second)
		wiretest.Must(c.TagResource(ctx, &eks.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"a": "b"}}))(w.T)
		time.Sleep(10 * time.Second)
		wiretest.Must(c.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("blue")}))(w.T)
		time.Sleep(time.Second)
		end()
		if len(got) != 3 {
			t.Fatalf("heard %v", got)
		}
		for i, at := range []time.Duration{47 * time.Second, 76 * time.Second, 86 * time.Second} {
			if late := got[i].at.Sub(begin) - at; got[i].id.ARN() != *arn || late < 0 || late > time.Second {
				t.Errorf("heard of %s %s late", got[i].id.ARN(), late)
			}
		}
		if n := r.Counts(); n != (Counts{Clusters: 3}) || w.left() != "0+0" {
			t.Errorf("counts %+v, left %s", n, w.left())
		}
	})
}

func TestWhatIsAboutNoClusterIsDeletedAndCounted(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		for _, body := range []string{"hello", "{}", "null", created("blue"), created("a b"), created("blue") + "x", strings.Repeat("[", 20000)} {
			w.send(body)
		}
		s := &told{}
		r, end := w.receive(w.sqs, s.changed)
		synctest.Wait()
		end()
		s.want(w, "blue")
		if n := r.Counts(); n != (Counts{Clusters: 1, Unknown: 6}) || w.left() != "0+0" {
			t.Errorf("counts %+v, left %s", n, w.left())
		}
	})
}

func TestOneClusterIsToldOfOncePerBatch(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		for _, name := range []string{"blue", "green", "blue", "blue"} {
			w.send(created(name))
		}
		s := &told{}
		r, end := w.receive(w.sqs, s.changed)
		synctest.Wait()
		end()
		s.want(w, "blue+green")
		if n := r.Counts(); n != (Counts{Clusters: 4}) || w.left() != "0+0" {
			t.Errorf("counts %+v, left %s", n, w.left())
		}
	})
}

func TestAPoisonedMessageKeepsNoOtherWaitingAndIsGivenUp(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		w.send(created("bad"))
		w.send(created("good"))
		s := &told{fail: func(names []string) error {
			if slices.Contains(names, "bad") {
				return errors.New("it does not want to")
			}
			return nil
		}}
		r, end := w.receive(w.sqs, s.changed)
		synctest.Wait()
		s.want(w, "bad+good", "bad", "good")
		if n := r.Counts(); n.Clusters != 1 || w.left() != "0+1" {
			t.Errorf("counts %+v, left %s", n, w.left())
		}
		w.send(created("later"))
		time.Sleep(5 * time.Second)
		s.want(w, "later")
		time.Sleep(20 * 30 * time.Second) // the queue's visibility timeout
		s.want(w, slices.Repeat([]string{"bad"}, 9)...)
		end()
		if n := r.Counts(); n != (Counts{Clusters: 2, GivenUp: 1, Failures: 10}) || w.left() != "0+0" {
			t.Errorf("counts %+v, left %s", n, w.left())
		}
	})
}

func TestNothingIsDeletedBeforeItWasPassedOn(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		w.send(created("blue"))
		s := &told{}
		s.fail = func([]string) error {
			if w.left() != "0+1" {
				t.Errorf("left %s while it is passed on", w.left())
			}
			if len(s.calls) == 1 {
				return errors.New("not now")
			}
			return nil
		}
		_, end := w.receive(w.sqs, s.changed)
		time.Sleep(40 * time.Second)
		end()
		s.want(w, "blue", "blue")
		if w.left() != "0+0" {
			t.Errorf("left %s", w.left())
		}
	})
}

func TestFailuresBackOffAndPassEvents(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		rule := wiretest.Must(w.lab.Faults().Add(fault.Rule{Kind: fault.AccessDenied, Service: "sqs", Operation: "ReceiveMessage"}))(t)
		_, pos := w.lab.Calls().Since(0)
		s := &told{}
		r, end := w.receive(w.sqs, s.changed)
		w.send(created("blue"))
		time.Sleep(10 * time.Minute)
		calls, _ := w.lab.Calls().Since(pos)
		if n := len(calls) - 1; n < 12 || n > 18 { // 1+2+4+…+32 s, then one each minute
			t.Errorf("%d calls in ten minutes without permission", n)
		}
		if n := r.Counts(); int(n.Failures) < 12 || n.Clusters > 0 {
			t.Errorf("counts %+v", n)
		}
		w.lab.Faults().Remove(rule)
		time.Sleep(67 * time.Second)
		s.want(w, "blue")
		// A message that could not be deleted comes again, and does no harm.
		wiretest.Must(w.lab.Faults().Add(fault.Rule{Kind: fault.Refusal, Service: "sqs", Operation: "DeleteMessageBatch", Code: "InternalError", Times: 1}))(t)
		w.send(created("green"))
		time.Sleep(time.Minute)
		end()
		s.want(w, "green", "green")
		if w.left() != "0+0" {
			t.Errorf("left %s", w.left())
		}
	})
}

// hasty answers at once, as no queue does that was asked to wait.
type hasty struct {
	calls int
	fail  []types.BatchResultErrorEntry
	give  []types.Message
}

func (h *hasty) ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	h.calls++
	return &sqs.ReceiveMessageOutput{Messages: h.give}, nil
}

func (h *hasty) DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	return &sqs.DeleteMessageBatchOutput{Failed: h.fail}, nil
}

func TestAQueueThatDoesNotWaitIsNotAskedWithoutAPause(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		api := &hasty{}
		_, end := w.receive(api, (&told{}).changed)
		time.Sleep(10 * time.Second)
		end()
		if api.calls < 10 || api.calls > 12 {
			t.Errorf("%d calls in ten seconds", api.calls)
		}
		// Messages that cannot be deleted do not make a loop without a pause either.
		api = &hasty{give: []types.Message{{Body: aws.String(created("blue"))}}, fail: []types.BatchResultErrorEntry{{Message: aws.String("no")}}}
		_, end = w.receive(api, (&told{}).changed)
		time.Sleep(10 * time.Second)
		end()
		if api.calls > 5 {
			t.Errorf("%d calls in ten seconds", api.calls)
		}
	})
}

func TestAReceiverEndsAtOnce(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		begin := time.Now()
		_, end := w.receive(w.sqs, (&told{}).changed)
		time.Sleep(3 * time.Second)
		end()
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("it ended after %s", took)
		}
	})
}

func TestThePolicyAllowsWhatIsNeededAndNothingElse(t *testing.T) {
	policy, err := os.ReadFile(filepath.Join("..", "..", "config", "iam", "clusterset-events.json"))
	if err != nil {
		t.Fatal(err)
	}
	inLab(t, awssim.Config{Authz: true}, func(w *world) {
		c, ctx := iam.NewFromConfig(w.cfg), w.Context()
		role := wiretest.Must(c.CreateRole(ctx, &iam.CreateRoleInput{
			RoleName: aws.String("events"), AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}`),
		}))(t).Role
		wiretest.Must(c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role.RoleName, PolicyName: aws.String("may"), PolicyDocument: aws.String(string(policy))}))(t)
		session := wiretest.Must(sts.NewFromConfig(w.cfg).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: aws.String("test")}))(t).Credentials
		mine := sqs.NewFromConfig(w.as(credentials.NewStaticCredentialsProvider(*session.AccessKeyId, *session.SecretAccessKey, *session.SessionToken)))
		w.send(created("blue"))
		s := &told{}
		r, end := w.receive(mine, s.changed)
		synctest.Wait()
		end()
		s.want(w, "blue")
		if n := r.Counts(); n != (Counts{Clusters: 1}) || w.left() != "0+0" {
			t.Errorf("counts %+v, left %s", n, w.left())
		}
		_, err := mine.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &w.url, MessageBody: aws.String("x")})
		wiretest.Refused(t, err, "AccessDenied", "sqs:SendMessage on resource: arn:aws:sqs:us-east-1:000000000000:norikae-events")
		other := wiretest.Must(w.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("other")}))(t).QueueUrl
		_, err = mine.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: other})
		wiretest.Refused(t, explain(*other, "sqs:ReceiveMessage", err), "AccessDenied", "(sqs:ReceiveMessage)")
	})
}

func TestWrongConfigurationsAreRefused(t *testing.T) {
	api, changed := &hasty{}, (&told{}).changed
	for queue, ok := range map[string]bool{
		"https://sqs.eu-west-1.amazonaws.com/111111111111/norikae-events": true, "http://127.0.0.1:4566/000000000000/x": true,
		"https://sqs.eu-west-1.amazonaws.com/111111111111/x.fifo": true, "": false, "norikae-events": false,
		"arn:aws:sqs:eu-west-1:111111111111:norikae-events": false, "https://sqs.eu-west-1.amazonaws.com/1/x": false, "ftp://h/111111111111/x": false,
	} {
		if _, err := New(Config{API: api, Changed: changed, QueueURL: queue}); (err == nil) != ok {
			t.Errorf("%q: %v", queue, err)
		}
	}
	if _, err := New(Config{QueueURL: "https://sqs.eu-west-1.amazonaws.com/111111111111/x"}); err == nil {
		t.Error("made without an API")
	}
	for queue, want := range map[string]string{
		"https://sqs.eu-west-1.amazonaws.com/111111111111/x": "eu-west-1", "https://sqs.cn-north-1.amazonaws.com.cn/111111111111/x": "cn-north-1",
		"http://127.0.0.1:4566/000000000000/x": "", "": "", "%": "",
	} {
		if got := Region(queue); got != want {
			t.Errorf("region of %q: %q, want %q", queue, got, want)
		}
	}
	missing := explain("https://q", "sqs:ReceiveMessage", &types.QueueDoesNotExist{})
	if !strings.Contains(missing.Error(), "there is no queue https://q") {
		t.Errorf("got %v", missing)
	}
}

func TestEventsAreReadStrictly(t *testing.T) {
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(created("blue")) }
	const blue = "arn:aws:eks:eu-west-1:111111111111:cluster/blue"
	byARN := func(arn string) string {
		return replace(`"name":"blue"`, `"resourceArn":"`+arn+`"`, "CreateCluster", "TagResource")
	}
	for name, tc := range map[string]struct{ body, arn, why string }{
		"a call by name":         {created("blue"), blue, ""},
		"tags by ARN":            {byARN(blue), blue, ""},
		"an ARN out of a URL":    {byARN(strings.ReplaceAll(strings.ReplaceAll(blue, ":", "%3A"), "/", "%2F")), blue, ""},
		"China":                  {replace("eu-west-1", "cn-north-1"), "arn:aws-cn:eks:cn-north-1:111111111111:cluster/blue", ""},
		"space around it":        {" " + created("blue") + "\n", blue, ""},
		"tags of a node group":   {byARN("arn:aws:eks:eu-west-1:111111111111:nodegroup/blue/x/1"), "", "names no cluster"},
		"an ARN of elsewhere":    {byARN("arn:aws:eks:eu-west-1:222222222222:cluster/blue"), "", "are two"},
		"two accounts":           {replace(`"account":"111111111111"`, `"account":"222222222222"`), "", "are two"},
		"no account":             {replace("111111111111", ""), "", "names no cluster"},
		"a long account":         {replace("111111111111", "1111111111111"), "", "names no cluster"},
		"no name":                {replace("blue", ""), "", "names no cluster"},
		"a name with a slash":    {replace("blue", "blue/x"), "", "names no cluster"},
		"a number for a name":    {replace(`"blue"`, `7`), "", "not an event in JSON"},
		"another service":        {replace("aws.eks", "aws.ec2"), "", "not a call of the EKS API"},
		"another kind":           {replace("via CloudTrail", "by hand"), "", "not a call of the EKS API"},
		"another call":           {replace("CreateCluster", "CreateAddon"), "", "changes no cluster"},
		"a call that failed":     {replace(`"eventName"`, `"errorCode":"AccessDenied","eventName"`), "", "failed"},
		"two events":             {created("blue") + created("blue"), "", "something follows"},
		"no parameters":          {replace(`{"name":"blue","tags":{"a":"b"}}`, "null"), "", "names no cluster"},
		"longer than SQS allows": {created("blue") + strings.Repeat(" ", maxBody), "", "longer"},
	} {
		t.Run(name, func(t *testing.T) {
			id, why := parse(tc.body)
			if tc.why == "" && (why != "" || id.ARN() != tc.arn) {
				t.Errorf("%s, %q; want %s", id.ARN(), why, tc.arn)
			}
			if tc.why != "" && (!strings.Contains(why, tc.why) || id != registry.ID{}) {
				t.Errorf("%+v, %q; want …%s…", id, why, tc.why)
			}
		})
	}
}

func TestWhateverIsReadIsACluster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-z0-9:/%. "{}-]{0,20}`)
		body := created("blue")
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			from := rapid.IntRange(0, len(body)).Draw(t, "from")
			to := rapid.IntRange(from, min(from+20, len(body))).Draw(t, "to")
			body = body[:from] + text.Draw(t, "text") + body[to:]
		}
		id, why := parse(body)
		if why != "" {
			if id != (registry.ID{}) {
				t.Fatal(fmt.Sprint("refused and read: ", id))
			}
			return
		}
		if again, err := registry.ParseARN(id.ARN()); err != nil || again != id {
			t.Fatalf("%+v reads again as %+v, %v", id, again, err)
		}
	})
}

func TestPausesGrowAndEndAtAMinute(t *testing.T) {
	for failed, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 7: time.Minute, 100000: time.Minute} {
		for range 100 {
			if got := pause(failed); got < want*9/10 || got > want*11/10 {
				t.Fatalf("after %d failures %s, want about %s", failed, got, want)
			}
		}
	}
}
