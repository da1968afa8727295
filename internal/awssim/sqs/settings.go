package sqs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// settings of a queue: its attributes that can be chosen.
type settings struct {
	visibility, wait, delay, retention time.Duration
	maxSize                            int    // of a body, in bytes
	policy                             string // kept; nobody is held to it
}

// attribute in whole seconds.
type attribute struct {
	name     string
	min, max int
	value    *time.Duration
}

func (s *settings) durations() []attribute {
	return []attribute{
		{"DelaySeconds", 0, 900, &s.delay},
		{"MessageRetentionPeriod", 60, 1209600, &s.retention},
		{"ReceiveMessageWaitTimeSeconds", 0, 20, &s.wait},
		{"VisibilityTimeout", 0, 43200, &s.visibility},
	}
}

// Bounds of bodies in bytes.
const (
	minSize = 1024
	maxSize = 1 << 20
)

func parseSettings(p wire.Params) (settings, error) {
	s := settings{visibility: 30 * time.Second, retention: 4 * 24 * time.Hour, maxSize: maxSize}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if err := s.set(p, name); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *settings) set(p wire.Params, name string) error {
	switch name {
	case "Policy":
		s.policy = p.Str(name)
		return nil
	case "MaximumMessageSize":
		n, err := number(p.Str(name), minSize, maxSize)
		if err != nil {
			return wire.Errorf(codeValue, "Invalid value for the parameter %s: %v", name, err)
		}
		s.maxSize = n
		return nil
	case "FifoQueue", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled",
		"ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit":
		return wire.Errorf("NotSimulated", "the attribute %s of queues is not simulated", name)
	}
	for _, a := range s.durations() {
		if a.name == name {
			n, err := number(p.Str(name), a.min, a.max)
			if err != nil {
				return wire.Errorf(codeValue, "Invalid value for the parameter %s: %v", name, err)
			}
			*a.value = time.Duration(n) * time.Second
			return nil
		}
	}
	return wire.Errorf(codeAttribute, "Unknown Attribute %s.", name)
}

func number(text string, least, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%q is not an integer from %d to %d", text, least, most)
	}
	return n, nil
}

// attributes of a queue, all of them.
func (q *queue) attributes(now time.Time) map[string]string {
	q.expire(now)
	ready, hidden, delayed := 0, 0, 0
	for _, m := range q.messages {
		switch {
		case !now.Before(m.visible):
			ready++
		case m.received > 0:
			hidden++
		default:
			delayed++
		}
	}
	created := fmt.Sprint(q.created.Unix())
	out := map[string]string{
		"QueueArn": q.arn, "CreatedTimestamp": created, "LastModifiedTimestamp": created, "SqsManagedSseEnabled": "false",
		"ApproximateNumberOfMessages": fmt.Sprint(ready), "ApproximateNumberOfMessagesNotVisible": fmt.Sprint(hidden),
		"ApproximateNumberOfMessagesDelayed": fmt.Sprint(delayed), "MaximumMessageSize": fmt.Sprint(q.settings.maxSize),
	}
	if q.settings.policy != "" {
		out["Policy"] = q.settings.policy
	}
	for _, a := range q.settings.durations() {
		out[a.name] = fmt.Sprint(int(*a.value / time.Second))
	}
	return out
}

func (c *call) getQueueAttributes() (wire.Struct, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	all := q.attributes(c.now)
	wanted := c.p.Strings("AttributeNames")
	out := wire.Struct{}
	for _, name := range wanted {
		if _, ok := all[name]; !ok && name != "All" && name != "Policy" && name != "RedrivePolicy" {
			return nil, wire.Errorf(codeAttribute, "Unknown Attribute %s.", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if slices.Contains(wanted, name) || slices.Contains(wanted, "All") {
			out = append(out, kv(name, all[name]))
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return wire.Struct{kv("Attributes", out)}, nil
}
