package awssim

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// EventsTag is the tag of SQS queues that get an event for every change of an EKS cluster
// over the API, in all accounts and regions: as if every account sent what CloudTrail
// tells EventBridge to one bus, with a rule that has these queues for targets. The tag's
// value does not matter. Unlike AWS, the event is there at once.
const EventsTag = "norikae.dev/lab-events"

// eventOf a call, as EventBridge has what CloudTrail records.
func eventOf(c wire.Call) (event string, ok bool) {
	r := c.Request
	if r.Service != "eks" {
		return "", false
	}
	switch r.Operation {
	case "CreateCluster", "DeleteCluster", "TagResource", "UntagResource", "UpdateClusterConfig", "UpdateClusterVersion":
	default:
		return "", false
	}
	at := c.Start.UTC().Format(time.RFC3339)
	b, err := json.Marshal(map[string]any{
		"version": "0", "id": r.ID, "source": "aws.eks", "detail-type": "AWS API Call via CloudTrail",
		"account": r.AccountID, "region": r.Region, "time": at, "resources": []string{},
		"detail": map[string]any{
			"eventVersion": "1.09", "eventTime": at, "eventSource": "eks.amazonaws.com", "eventName": r.Operation, "eventType": "AwsApiCall",
			"awsRegion": r.Region, "recipientAccountId": r.AccountID, "requestParameters": r.Params, "requestID": r.ID, "eventID": fmt.Sprintf("event-%d", r.Seq),
			"readOnly": false, "managementEvent": true,
		},
	})
	return string(b), err == nil
}
