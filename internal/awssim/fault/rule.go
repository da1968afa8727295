package fault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// MaxDuration bounds every duration of a Rule.
const MaxDuration = 24 * time.Hour

// Rule is one injected fault. Which fields a Kind has is said with each of them;
// others must be left zero.
type Rule struct {
	ID   string // given by Set.Add
	Kind Kind

	// Faults of API calls: which calls.
	Service     string   // signing name (elasticloadbalancing, monitoring, sts, route53, eks, tagging, iam, ec2, sqs) or elbv2, cloudwatch; may be a glob; "": any
	Operation   string   // e.g. ModifyRule; may be a glob; "": any
	Skip        int      // matching calls that are let pass first
	Times       int      // calls that are hit after that; 0: all
	Probability *float64 // 0–1, of each call that Skip and Times leave; nil: 1

	Code        string        // error: e.g. PriorRequestNotComplete
	Status      int           // error: HTTP status, 400–599; 0: 400
	Duration    time.Duration // latency, stale-read, all delays, index-lag; up to MaxDuration
	Name        string        // metric-missing, health-check, cluster-failure: glob of names, e.g. HTTPCode_*
	TargetGroup string        // target: name of a target group
	FailRate    float64       // target: share of requests answered 500 (behind an NLB: reset), 0–1
	Latency     time.Duration // target: added to each answer, or to the share SlowRate; up to MaxDuration
	SlowRate    float64       // target: share of answers that Latency is added to, 0–1; 0: all
	Count       int           // lose: 1–1,000,000; short-pages: 1–1000
}

// ruleJSON is how a Rule is written. Pointers tell an absent field from a zero.
type ruleJSON struct {
	ID          string    `json:"id,omitempty"`
	Kind        Kind      `json:"kind"`
	Service     *string   `json:"service,omitempty"`
	Operation   *string   `json:"operation,omitempty"`
	Skip        *int      `json:"skip,omitempty"`
	Times       *int      `json:"times,omitempty"`
	Probability *float64  `json:"probability,omitempty"`
	Code        *string   `json:"code,omitempty"`
	Status      *int      `json:"status,omitempty"`
	Duration    *duration `json:"duration,omitempty"`
	Name        *string   `json:"name,omitempty"`
	TargetGroup *string   `json:"targetGroup,omitempty"`
	FailRate    *float64  `json:"failRate,omitempty"`
	Latency     *duration `json:"latency,omitempty"`
	SlowRate    *float64  `json:"slowRate,omitempty"`
	Count       *int      `json:"count,omitempty"`
}

// duration is written as time.ParseDuration reads it.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 250ms, 10s or 1m30s", b)
	}
	*d = duration(v)
	return nil
}

// MarshalJSON leaves out what is zero.
func (r Rule) MarshalJSON() ([]byte, error) {
	return json.Marshal(ruleJSON{
		ID: r.ID, Kind: r.Kind, Service: unlessZero(r.Service), Operation: unlessZero(r.Operation),
		Skip: unlessZero(r.Skip), Times: unlessZero(r.Times), Probability: r.Probability,
		Code: unlessZero(r.Code), Status: unlessZero(r.Status), Duration: unlessZero(duration(r.Duration)), Name: unlessZero(r.Name), TargetGroup: unlessZero(r.TargetGroup),
		FailRate: unlessZero(r.FailRate), Latency: unlessZero(duration(r.Latency)), SlowRate: unlessZero(r.SlowRate), Count: unlessZero(r.Count),
	})
}

func unlessZero[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

func orZero[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

// Parse reads one Rule from JSON. Unknown fields, fields of other kinds and values out
// of range are errors that name the field.
func Parse(r io.Reader) (Rule, error) {
	b, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return Rule{}, fmt.Errorf("reading the fault: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var j ruleJSON
	if err := d.Decode(&j); err != nil {
		return Rule{}, describeJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Rule{}, errors.New("the fault: one JSON object is expected, the body goes on after it")
	}
	rule := Rule{
		Kind: j.Kind, Service: orZero(j.Service), Operation: orZero(j.Operation), Skip: orZero(j.Skip), Times: orZero(j.Times),
		Probability: j.Probability, Code: orZero(j.Code), Status: orZero(j.Status), Duration: time.Duration(orZero(j.Duration)), Name: orZero(j.Name),
		TargetGroup: orZero(j.TargetGroup), FailRate: orZero(j.FailRate), Latency: time.Duration(orZero(j.Latency)), SlowRate: orZero(j.SlowRate), Count: orZero(j.Count),
	}
	if j.ID != "" {
		return Rule{}, errors.New("id: it is given by the lab, leave it out")
	}
	return rule, rule.Validate()
}

func describeJSON(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return fmt.Errorf("%s: a JSON %s is not of type %s", e.Field, e.Value, e.Type)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("unknown field %s; fields are kind, service, operation, skip, times, probability, code, status, duration, name, targetGroup, failRate, latency, slowRate, count", name)
	}
	return fmt.Errorf("the fault is not a JSON object: %w", err)
}

// Validate returns an error that names the first field that is wrong.
func (r Rule) Validate() error {
	fields, ok := fieldsOf()[r.Kind]
	if !ok {
		return fmt.Errorf("kind: %q is not one of %v", r.Kind, Kinds())
	}
	for _, f := range r.set() {
		if !slices.Contains(fields, f) {
			return fmt.Errorf("%s: the kind %s does not have it; it has %s", f, r.Kind, strings.Join(fields, ", "))
		}
	}
	if err := r.validateMatch(); err != nil {
		return err
	}
	switch r.Kind {
	case Latency, StaleRead, WeightsDelay, MetricDelay, PropagationDelay, IndexLag, ClusterDelay:
		if r.Duration <= 0 || r.Duration > MaxDuration {
			return fmt.Errorf("duration: %v is not in (0s, %v], which the kind %s needs", r.Duration, MaxDuration, r.Kind)
		}
	case MetricMissing, HealthCheck, ClusterFailure:
		if r.Name == "" {
			return fmt.Errorf("name: the kind %s needs the name of %s, or a glob such as %s", r.Kind, named(r.Kind), example(r.Kind))
		}
		return checkGlob("name", r.Name)
	case Refusal:
		return r.validateRefusal()
	case ShortPages:
		if r.Count < 1 || r.Count > 1000 {
			return fmt.Errorf("count: %d is not in 1–1000", r.Count)
		}
	case TargetFailure:
		return r.validateTarget()
	case Lose:
		if r.Count < 1 || r.Count > 1_000_000 {
			return fmt.Errorf("count: %d is not in 1–1000000", r.Count)
		}
	case Throttle, ErrorBefore, ErrorAfter, AccessDenied, ExpiredToken, DropBefore, DropAfter:
	}
	return nil
}

func named(k Kind) string {
	switch k {
	case HealthCheck:
		return "a health check (its ID)"
	case ClusterFailure:
		return "a cluster"
	default:
		return "a metric"
	}
}

func example(k Kind) string {
	if k == MetricMissing {
		return "HTTPCode_*"
	}
	return "*"
}

func (r Rule) validateRefusal() error {
	switch {
	case !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.]{0,99}$`).MatchString(r.Code):
		return fmt.Errorf("code: %q is not an error code such as PriorRequestNotComplete", r.Code)
	case r.Status != 0 && (r.Status < 400 || r.Status > 599):
		return fmt.Errorf("status: %d is not in 400–599", r.Status)
	}
	return nil
}

// set lists the fields that are not zero.
func (r Rule) set() []string {
	var out []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"service", r.Service != ""},
		{"operation", r.Operation != ""},
		{"skip", r.Skip != 0},
		{"times", r.Times != 0},
		{"probability", r.Probability != nil},
		{"code", r.Code != ""},
		{"status", r.Status != 0},
		{"duration", r.Duration != 0},
		{"name", r.Name != ""},
		{"targetGroup", r.TargetGroup != ""},
		{"failRate", r.FailRate != 0},
		{"slowRate", r.SlowRate != 0},
		{"latency", r.Latency != 0},
		{"count", r.Count != 0},
	} {
		if f.set {
			out = append(out, f.name)
		}
	}
	return out
}

func (r Rule) validateMatch() error {
	if err := checkService(r.Service); err != nil {
		return err
	}
	if err := checkGlob("operation", r.Operation); err != nil {
		return err
	}
	if r.Skip < 0 {
		return fmt.Errorf("skip: %d is negative; it is the number of calls to let pass", r.Skip)
	}
	if r.Times < 0 {
		return fmt.Errorf("times: %d is negative; it is the number of calls to hit, 0 for all", r.Times)
	}
	if p := r.Probability; p != nil && !(*p >= 0 && *p <= 1) { // so that NaN is refused, too
		return fmt.Errorf("probability: %v is not in 0–1", *p)
	}
	return nil
}

func (r Rule) validateTarget() error {
	switch {
	case r.TargetGroup == "":
		return errors.New("targetGroup: the kind target needs the name of a target group")
	case !(r.FailRate >= 0 && r.FailRate <= 1):
		return fmt.Errorf("failRate: %v is not in 0–1", r.FailRate)
	case r.Latency < 0 || r.Latency > MaxDuration:
		return fmt.Errorf("latency: %v is not in [0s, %v]", r.Latency, MaxDuration)
	case !(r.SlowRate >= 0 && r.SlowRate <= 1):
		return fmt.Errorf("slowRate: %v is not in 0–1", r.SlowRate)
	case r.SlowRate != 0 && r.Latency == 0:
		return errors.New("slowRate: it says which share of the answers is late; give latency, too")
	case r.FailRate == 0 && r.Latency == 0:
		return errors.New("failRate: the kind target needs failRate or latency")
	}
	return nil
}

// checkService refuses plain names that no call can have; they are typing errors.
func checkService(s string) error {
	if s == "" || strings.ContainsAny(s, `*?[\`) {
		return checkGlob("service", s)
	}
	for _, d := range dialects() {
		if s == d.service || s == d.alias {
			return nil
		}
	}
	return fmt.Errorf("service: %q is not one of %s, or a glob", s, strings.Join(services(), ", "))
}

func checkGlob(field, glob string) error {
	if _, err := path.Match(glob, ""); err != nil {
		return fmt.Errorf("%s: %q is not a glob: %w", field, glob, err)
	}
	return nil
}
