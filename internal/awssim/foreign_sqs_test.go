package awssim_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/norikae/norikae/internal/awssim"
)

func (f fixture) sdkQueues(t *testing.T) {
	t.Helper()
	c := sqs.NewFromConfig(f.config("us-east-1", nil))
	url := do(t, c.CreateQueue, &sqs.CreateQueueInput{QueueName: aws.String("events")}).QueueUrl
	if got := do(t, c.GetQueueUrl, &sqs.GetQueueUrlInput{QueueName: aws.String("events")}).QueueUrl; *got != *url {
		t.Errorf("its URL is %s, and was %s", *got, *url)
	}
	do(t, c.GetQueueAttributes, &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	if got := do(t, c.ListQueues, &sqs.ListQueuesInput{}).QueueUrls; len(got) != 1 {
		t.Errorf("queues %v", got)
	}
	for _, body := range []string{"one", "two"} {
		do(t, c.SendMessage, &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body})
	}
	got := do(t, c.ReceiveMessage, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10}).Messages
	if len(got) != 2 {
		t.Fatalf("messages %v", got)
	}
	do(t, c.DeleteMessage, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: got[0].ReceiptHandle})
	do(t, c.DeleteMessageBatch, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{{Id: aws.String("x"), ReceiptHandle: got[1].ReceiptHandle}}})
	do(t, c.PurgeQueue, &sqs.PurgeQueueInput{QueueUrl: url})
	do(t, c.DeleteQueue, &sqs.DeleteQueueInput{QueueUrl: url})
}

func TestChangesOfClustersComeAsEvents(t *testing.T) {
	virtually(t, awssim.Config{}, func(t *testing.T, f fixture) {
		cfg := f.config("us-east-1", nil)
		q, c := sqs.NewFromConfig(cfg), eks.NewFromConfig(cfg)
		url := do(t, q.CreateQueue, &sqs.CreateQueueInput{QueueName: aws.String("events"), Tags: map[string]string{awssim.EventsTag: ""}}).QueueUrl
		name, config := aws.String("blue"), &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-0a", "subnet-0b"}}
		arn := do(t, c.CreateCluster, &eks.CreateClusterInput{Name: name, RoleArn: aws.String(eksRole), ResourcesVpcConfig: config, Version: aws.String("1.34")}).Cluster.Arn
		do(t, c.DescribeCluster, &eks.DescribeClusterInput{Name: name})
		do(t, c.TagResource, &eks.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"a": "b"}})
		do(t, c.UntagResource, &eks.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}})
		do(t, c.UpdateClusterVersion, &eks.UpdateClusterVersionInput{Name: name, Version: aws.String("1.35")})
		if _, err := c.UpdateClusterVersion(t.Context(), &eks.UpdateClusterVersionInput{Name: name, Version: aws.String("1.31")}); err == nil {
			t.Error("a downgrade by four was accepted")
		}
		do(t, c.DeleteCluster, &eks.DeleteClusterInput{Name: name})
		got := ""
		for _, m := range do(t, q.ReceiveMessage, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10}).Messages {
			var e struct {
				Source, Account, Region string
				Type                    string `json:"detail-type"`
				Detail                  struct {
					EventSource, EventName, AwsRegion, RecipientAccountID string
					RequestParameters                                     struct{ Name, ResourceArn string }
				}
			}
			if err := json.Unmarshal([]byte(*m.Body), &e); err != nil {
				t.Fatalf("%v: %s", err, *m.Body)
			}
			d := e.Detail
			if e.Source != "aws.eks" || e.Type != "AWS API Call via CloudTrail" || d.EventSource != "eks.amazonaws.com" ||
				e.Account != awssim.Account || d.RecipientAccountID != awssim.Account || e.Region != "us-east-1" || d.AwsRegion != "us-east-1" {
				t.Errorf("event %s", *m.Body)
			}
			if d.RequestParameters.ResourceArn != "" && d.RequestParameters.ResourceArn != *arn {
				t.Errorf("event of %s", d.RequestParameters.ResourceArn)
			}
			got += fmt.Sprintf("%s(%s) ", d.EventName, d.RequestParameters.Name)
		}
		if want := "CreateCluster(blue) TagResource() UntagResource() UpdateClusterVersion(blue) DeleteCluster(blue) "; got != want {
			t.Errorf("events %s\nwant   %s", got, want)
		}
	})
}
