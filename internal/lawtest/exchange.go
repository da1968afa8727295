package lawtest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// The services of a trace, by their signing names.
const (
	ELB        = "elasticloadbalancing"
	CloudWatch = "monitoring"
	Route53    = "route53"
)

// Exchange is one API call as it went over the wire, decoded.
type Exchange struct {
	Begun, Done time.Time // when the request came in whole, and when the answer was ready
	Caller      string    // the access key that signed it
	Service     string    // signing name
	Operation   string
	In          wire.Params // the request's members; in the query protocol leaves are text
	Out         wire.Params // the answer's members; nil for errors
	Status      int         // HTTP; 0: the connection was closed without an answer
	Code        string      // the error's code; "" for success
}

// OK tells whether the call was answered with success.
func (x *Exchange) OK() bool { return x.Status/100 == 2 }

// Unknown tells whether nobody on the caller's side can know if the call took effect.
func (x *Exchange) Unknown() bool { return x.Status == 0 || x.Status >= 500 }

func (x *Exchange) String() string {
	return fmt.Sprintf("%s %s by %s (%d %s)", x.Done.UTC().Format(time.TimeOnly), x.Operation, x.Caller, x.Status, x.Code)
}

// decodeRequest reads what a client sent.
func decodeRequest(r *http.Request, body []byte) (x Exchange, err error) {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	scope := strings.Split(credential, "/")
	if len(scope) != 5 {
		return x, fmt.Errorf("credential %q is not KEY/DATE/REGION/SERVICE/aws4_request", credential)
	}
	x.Caller, x.Service = scope[0], scope[3]
	if x.Service == Route53 {
		return x, x.decodeREST(r, body)
	}
	if _, op, ok := strings.Cut(r.URL.Path, "/operation/"); ok {
		x.Operation = op
		x.In, err = wire.DecodeCBOR(body)
		return x, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return x, fmt.Errorf("the request's form: %w", err)
	}
	x.Operation = form.Get("Action")
	x.In, err = wire.ParseForm(form)
	return x, err
}

// decodeAnswer reads what the simulator answered.
func (x *Exchange) decodeAnswer(status int, contentType string, body []byte) error {
	x.Status = status
	if x.Service == Route53 && x.OK() {
		out, err := wire.DecodeXML(body, restLists())
		x.Out = out
		return err
	}
	if strings.Contains(contentType, "cbor") {
		out, err := wire.DecodeCBOR(body)
		if err != nil {
			return err
		}
		if status == http.StatusOK {
			x.Out = out
			return nil
		}
		x.Code = out.Str("__type")
		return nil
	}
	tree, err := decodeXML(body)
	if err != nil {
		return err
	}
	if status == http.StatusOK {
		x.Out = tree.Struct(x.Operation + "Response").Struct(x.Operation + "Result")
		return nil
	}
	x.Code = tree.Struct("ErrorResponse").Struct("Error").Str("Code")
	for root := range tree {
		if root != "ErrorResponse" { // as Route 53 words InvalidChangeBatch
			x.Code = root
		}
	}
	return nil
}

// restLists are the lists of Route 53's bodies, and their elements.
func restLists() map[string]string {
	return map[string]string{
		"Changes": "Change", "ResourceRecords": "ResourceRecord", "ResourceRecordSets": "ResourceRecordSet",
		"HealthCheckObservations": "HealthCheckObservation",
	}
}

// decodeREST reads a call to Route 53: what it is for is in its method and path.
func (x *Exchange) decodeREST(r *http.Request, body []byte) error {
	x.Operation, x.In = r.Method+" "+r.URL.Path, wire.Params{}
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(path) < 3 {
		return nil
	}
	label, id := "Id", path[2]
	path[2] = "ID"
	switch r.Method + " " + strings.Join(path[1:], "/") {
	case "GET hostedzone/ID/rrset":
		x.Operation, label = "ListResourceRecordSets", "HostedZoneId"
	case "POST hostedzone/ID/rrset":
		x.Operation, label = "ChangeResourceRecordSets", "HostedZoneId"
	case "GET hostedzone/ID":
		x.Operation = "GetHostedZone"
	case "GET change/ID":
		x.Operation = "GetChange"
	case "GET healthcheck/ID":
		x.Operation, label = "GetHealthCheck", "HealthCheckId"
	case "GET healthcheck/ID/status":
		x.Operation, label = "GetHealthCheckStatus", "HealthCheckId"
	}
	for key, name := range map[string]string{
		"name": "StartRecordName", "type": "StartRecordType", "identifier": "StartRecordIdentifier", "maxitems": "MaxItems",
	} {
		if v := r.URL.Query().Get(key); v != "" {
			x.In[name] = v
		}
	}
	sent, err := wire.DecodeXML(body, restLists())
	maps.Copy(x.In, sent)
	x.In[label] = id
	return err
}

// decodeXML turns a document of the query protocol into a tree: lists are elements
// named member.
func decodeXML(body []byte) (wire.Params, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return wire.Params{}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the answer's XML: %w", err)
		}
		if e, ok := t.(xml.StartElement); ok {
			v, err := element(d)
			return wire.Params{e.Name.Local: v}, err
		}
	}
}

// element reads up to the end of the element that has begun.
func element(d *xml.Decoder) (any, error) {
	var text strings.Builder
	var list []any
	tree := wire.Params{}
	for {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("the answer's XML: %w", err)
		}
		switch t := t.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			v, err := element(d)
			if err != nil {
				return nil, err
			}
			if t.Name.Local == "member" {
				list = append(list, v)
			} else {
				tree[t.Name.Local] = v
			}
		case xml.EndElement:
			switch {
			case list != nil:
				return list, nil
			case len(tree) > 0:
				return tree, nil
			}
			return strings.TrimSpace(text.String()), nil
		}
	}
}
