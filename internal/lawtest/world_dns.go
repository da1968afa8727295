package lawtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/awssim"
)

const (
	// propagation is how long a change of Route 53 is PENDING in these worlds.
	propagation = 700 * time.Millisecond
	// recordTTL of the name's records, in seconds.
	recordTTL = 2
)

// Route53Client is a Route 53 client of the Operator.
func (w *World) Route53Client() *r53.Client {
	return r53.New(r53.Options{
		Region: awssim.Region, BaseEndpoint: aws.String(w.endpoint), HTTPClient: w.HTTP(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(Operator, "fake", ""),
	})
}

// buildName gives the zone a name whose A and AAAA records lead to blue and green, each
// with a health check, and other names beside it that are alike (R1).
func (w *World) buildName() error {
	ctx := context.Background()
	w.Name, w.balancers = "app."+awssim.Host, map[string]string{}
	sides := []Weight{{"blue", 100}, {"green", 0}}
	for _, other := range []string{"my-" + w.Name, "a." + w.Name} {
		if err := w.change(ctx, w.records(other, sides...)); err != nil {
			return err
		}
	}
	return w.addRecords(ctx, sides...)
}

// recordTypes of the name.
func recordTypes() []types.RRType { return []types.RRType{types.RRTypeA, types.RRTypeAaaa} }

// addRecords makes records of all types at the world's name, and their health checks.
func (w *World) addRecords(ctx context.Context, weights ...Weight) error {
	for _, g := range weights {
		out, err := w.Route53Client().CreateHealthCheck(ctx, &r53.CreateHealthCheckInput{
			CallerReference:   aws.String(g.Name),
			HealthCheckConfig: &types.HealthCheckConfig{Type: types.HealthCheckTypeHttp, IPAddress: aws.String("192.0.2.1"), Port: aws.Int32(80)},
		})
		if err != nil {
			return fmt.Errorf("making the health check of %s: %w", g.Name, err)
		}
		w.checks[g.Name], w.Groups[g.Name] = *out.HealthCheck.Id, g.Name
	}
	return w.change(ctx, w.records(w.Name, weights...))
}

// reweigh writes the weights of these types of the world's name, and those of set
// identifiers that are left out as 0, without a look at what is live.
func (w *World) reweigh(ctx context.Context, of []types.RRType, weights ...Weight) error {
	all, err := w.sets(ctx)
	if err != nil {
		return err
	}
	var changes []types.Change
	for _, set := range all {
		if !slices.Contains(of, set.Type) {
			continue
		}
		set.Weight = aws.Int64(0)
		for _, g := range weights {
			if g.Name == *set.SetIdentifier {
				set.Weight = aws.Int64(int64(g.Weight))
			}
		}
		changes = append(changes, types.Change{Action: types.ChangeActionUpsert, ResourceRecordSet: &set})
	}
	return w.change(ctx, changes)
}

// records to be made at a name.
func (w *World) records(name string, weights ...Weight) []types.Change {
	var out []types.Change
	for _, typ := range recordTypes() {
		for _, g := range weights {
			n := slices.Index([]string{"blue", "green", "c", "d", "e", "f", "g"}, g.Name) + 1
			value := fmt.Sprintf("192.0.2.%d", n)
			if typ == types.RRTypeAaaa {
				value = fmt.Sprintf("2001:db8::%d", n)
			}
			set := &types.ResourceRecordSet{
				Name: &name, Type: typ, SetIdentifier: aws.String(g.Name), Weight: aws.Int64(int64(g.Weight)), TTL: aws.Int64(recordTTL),
				ResourceRecords: []types.ResourceRecord{{Value: &value}},
			}
			if check := w.checks[g.Name]; check != "" {
				set.HealthCheckId = &check
			}
			out = append(out, types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: set})
		}
	}
	return out
}

func (w *World) change(ctx context.Context, changes []types.Change) error {
	_, err := w.Route53Client().ChangeResourceRecordSets(ctx, &r53.ChangeResourceRecordSetsInput{
		HostedZoneId: &w.Zone, ChangeBatch: &types.ChangeBatch{Changes: changes},
	})
	if err != nil {
		return fmt.Errorf("changing records as the operator: %w", err)
	}
	return nil
}

// sets of the world's name, asked behind the recorder's back.
func (w *World) sets(ctx context.Context) ([]types.ResourceRecordSet, error) {
	c := r53.New(r53.Options{
		Region: awssim.Region, BaseEndpoint: aws.String(w.endpoint), HTTPClient: direct{w.Handler()}, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(Operator, "fake", ""),
	})
	var all []types.ResourceRecordSet
	pages := r53.NewListResourceRecordSetsPaginator(c, &r53.ListResourceRecordSetsInput{HostedZoneId: &w.Zone, StartRecordName: &w.Name})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the records of %s: %w", w.Name, err)
		}
		for _, set := range out.ResourceRecordSets {
			if canonicalName(*set.Name) == canonicalName(w.Name) {
				all = append(all, set)
			}
		}
	}
	return all, nil
}

// weightsOf the record sets of a type.
func weightsOf(all []types.ResourceRecordSet, typ types.RRType) Split {
	s := Split{}
	for _, set := range all {
		if set.Type == typ {
			s[aws.ToString(set.SetIdentifier)] = int(aws.ToInt64(set.Weight))
		}
	}
	return s
}

// direct is an HTTP client that calls a handler.
type direct struct{ http.Handler }

func (d direct) Do(r *http.Request) (resp *http.Response, err error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	out := &answer{header: http.Header{}, status: http.StatusOK}
	defer func() {
		if recover() != nil { // http.ErrAbortHandler
			resp, err = nil, errors.New("the connection was closed without an answer")
		}
	}()
	d.ServeHTTP(out, r)
	return out.response(r), nil
}
