package events

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/registry"
)

// maxBody of a message in bytes: SQS takes none that is longer.
const maxBody = 1 << 20

// event is what matters of an API call that CloudTrail has recorded, as EventBridge has
// it.
type event struct {
	Source     string `json:"source"`
	DetailType string `json:"detail-type"`
	Account    string `json:"account"`
	Region     string `json:"region"`
	Detail     struct {
		EventSource        string `json:"eventSource"`
		EventName          string `json:"eventName"`
		AWSRegion          string `json:"awsRegion"`
		RecipientAccountID string `json:"recipientAccountId"`
		ErrorCode          string `json:"errorCode"`
		RequestParameters  struct {
			Name        string `json:"name"`
			ResourceARN string `json:"resourceArn"`
		} `json:"requestParameters"`
	} `json:"detail"`
}

// names of the calls that can change what a set says of a cluster.
func names() []string {
	return []string{"CreateCluster", "DeleteCluster", "TagResource", "UntagResource", "UpdateClusterConfig", "UpdateClusterVersion"}
}

// parse the cluster that a message is about. why tells what keeps it from being about
// one; "": nothing.
//
// Nothing of it is believed but that this cluster is worth a look: whoever can write to
// the queue can make us look at clusters, and no more.
func parse(body string) (id registry.ID, why string) {
	if len(body) > maxBody {
		return registry.ID{}, "it is longer than an event can be"
	}
	var e event
	d := json.NewDecoder(strings.NewReader(body))
	if err := d.Decode(&e); err != nil {
		return registry.ID{}, "it is not an event in JSON"
	}
	rest, _ := io.ReadAll(d.Buffered())
	if len(bytes.TrimSpace(rest)) > 0 || d.More() {
		return registry.ID{}, "something follows the event"
	}
	switch detail := e.Detail; {
	case e.Source != "aws.eks" || e.DetailType != "AWS API Call via CloudTrail" || detail.EventSource != "eks.amazonaws.com":
		return registry.ID{}, "it is not a call of the EKS API"
	case !slices.Contains(names(), detail.EventName):
		return registry.ID{}, "the call changes no cluster"
	case detail.ErrorCode != "":
		return registry.ID{}, "the call failed"
	case e.Account != detail.RecipientAccountID || e.Region != detail.AWSRegion:
		return registry.ID{}, "its account or region are two"
	}
	return e.cluster()
}

// cluster of the call: by name, or by ARN for tags.
func (e event) cluster() (registry.ID, string) {
	arn := e.Detail.RequestParameters.ResourceARN
	if plain, err := url.PathUnescape(arn); err == nil {
		arn = plain // it comes from the path of a URL
	}
	if arn == "" {
		arn = registry.ID{Partition: partition(e.Region), Account: e.Account, Region: e.Region, Name: e.Detail.RequestParameters.Name}.ARN()
	}
	id, err := registry.ParseARN(arn)
	switch {
	case err != nil:
		return registry.ID{}, "it names no cluster"
	case id.Account != e.Account || id.Region != e.Region:
		return registry.ID{}, "its account or region are two"
	}
	return id, ""
}

// partition of a region, which no event names where the call was by a cluster's name.
func partition(region string) string {
	for _, p := range []struct{ prefix, partition string }{
		{"cn-", "aws-cn"},
		{"us-gov-", "aws-us-gov"},
		{"eusc-", "aws-eusc"},
		{"us-iso-", "aws-iso"},
		{"us-isob-", "aws-iso-b"},
		{"eu-isoe-", "aws-iso-e"},
		{"us-isof-", "aws-iso-f"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.partition
		}
	}
	return "aws"
}
