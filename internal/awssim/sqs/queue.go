package sqs

import (
	"cmp"
	"crypto/md5" //nolint:gosec // G501: the API has MD5 sums of bodies
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

const (
	maxListed = 1000             // queues on a page
	forget    = 60 * time.Second // after which a name can be used again, and a queue be purged again
	arnFormat = "arn:%s:sqs:%s:%s:%s"
)

type queue struct {
	name, arn string
	tags      map[string]string
	settings  settings
	created   time.Time
	purged    time.Time // zero: never
	messages  []*message
	gone      bool
	changed   chan struct{} // closed when a poll should look again
}

type message struct {
	id, body string
	sent     time.Time
	visible  time.Time // from then on it can be received
	received int       // how often
	first    time.Time // zero: not yet
}

// handle for the last time that a message was received.
func (m *message) handle() string { return fmt.Sprintf("%s#%d", m.id, m.received) }

// parseHandle gives the message's ID. What a handle looks like is AWS's business.
func parseHandle(s string) (id string, ok bool) {
	id, n, ok := strings.Cut(s, "#")
	if _, err := strconv.Atoi(n); !ok || err != nil || len(id) != 36 {
		return "", false
	}
	return id, true
}

func md5sum(s string) string {
	sum := md5.Sum([]byte(s)) //nolint:gosec // G401: as above
	return hex.EncodeToString(sum[:])
}

// wake the polls.
func (q *queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *queue) add(s *Service, body string, delay time.Duration) *message {
	now := s.cfg.Now()
	m := &message{id: s.uuid(), body: body, sent: now, visible: now.Add(delay)}
	q.messages = append(q.messages, m)
	q.wake()
	return m
}

// expire drops what nobody has deleted in time.
func (q *queue) expire(now time.Time) {
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return now.Sub(m.sent) >= q.settings.retention })
}

// take up to n messages that can be received; none: when the first of them can be, zero
// when there are none at all.
func (q *queue) take(now time.Time, n int, hidden time.Duration) (out []*message, next time.Time) {
	q.expire(now)
	for _, m := range q.messages {
		if now.Before(m.visible) {
			if next.IsZero() || m.visible.Before(next) {
				next = m.visible
			}
			continue
		}
		if len(out) == n {
			break
		}
		m.visible = now.Add(hidden)
		m.received++
		if m.first.IsZero() {
			m.first = now
		}
		out = append(out, m)
	}
	return out, next
}

// remove a message by the handle of the last time that it was received. An older one
// removes nothing, which is no error.
func (q *queue) remove(handle string) error {
	id, ok := parseHandle(handle)
	if !ok {
		return wire.Errorf(codeHandle, "The input receipt handle %q is not a valid receipt handle.", handle)
	}
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return m.id == id && m.handle() == handle })
	return nil
}

// queue that a call names by its URL: …/ACCOUNT/NAME.
func (c *call) queue() (*queue, error) {
	url := c.p.Str("QueueUrl")
	if url == "" {
		return nil, wire.Errorf(codeMissing, "The request must contain the parameter QueueUrl.")
	}
	parts := strings.Split(url, "/")
	if n := len(parts); n >= 2 && parts[n-2] == c.account && c.queues[parts[n-1]] != nil {
		return c.queues[parts[n-1]], nil
	}
	return nil, noQueue()
}

func noQueue() error {
	return wire.Errorf(codeNoQueue, "The specified queue does not exist.")
}

// url of a queue is below the lab's endpoint.
func (c *call) url(name string) string {
	host := "sqs." + c.region + ".amazonaws.com"
	if c.r.HTTP != nil {
		host = cmp.Or(c.r.HTTP.Host, host)
	}
	return "http://" + host + "/" + c.account + "/" + name
}

func (c *call) createQueue() (wire.Struct, error) {
	name := c.p.Str("QueueName")
	if err := checkName(name); err != nil {
		return nil, err
	}
	given, err := parseSettings(c.p.Struct("Attributes"))
	if err != nil {
		return nil, err
	}
	if q := c.queues[name]; q != nil {
		if given != q.settings {
			return nil, wire.Errorf(codeExists, "A queue already exists with the same name and a different value for an attribute")
		}
		return wire.Struct{kv("QueueUrl", c.url(name))}, nil
	}
	if at, ok := c.deleted[name]; ok && c.now.Sub(at) < forget {
		return nil, wire.Errorf(codeDeleted, "You must wait 60 seconds after deleting a queue before you can create another with the same name.")
	}
	tags := map[string]string{}
	for key := range c.p.Struct("tags") {
		tags[key] = c.p.Struct("tags").Str(key)
	}
	c.queues[name] = &queue{
		name: name, arn: fmt.Sprintf(arnFormat, wire.Partition(c.region), c.region, c.account, name),
		tags: tags, settings: given, created: c.now, changed: make(chan struct{}),
	}
	return wire.Struct{kv("QueueUrl", c.url(name))}, nil
}

func checkName(name string) error {
	if strings.HasSuffix(name, ".fifo") {
		return wire.Errorf("NotSimulated", "FIFO queues are not simulated")
	}
	if n := len(name); n < 1 || n > 80 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return wire.Errorf(codeParameter, "The queue name %q can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length", name)
	}
	return nil
}

func (c *call) deleteQueue() (wire.Struct, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	delete(c.queues, q.name)
	c.deleted[q.name], q.gone = c.now, true
	q.wake()
	return nil, nil
}

func (c *call) purgeQueue() (wire.Struct, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	if !q.purged.IsZero() && c.now.Sub(q.purged) < forget {
		return nil, wire.Errorf(codePurging, "Only one PurgeQueue operation on %s is allowed every 60 seconds.", q.name)
	}
	q.purged, q.messages = c.now, nil
	return nil, nil
}

func (c *call) getQueueURL() (wire.Struct, error) {
	name := c.p.Str("QueueName")
	if owner := c.p.Str("QueueOwnerAWSAccountId"); c.queues[name] == nil || owner != "" && owner != c.account {
		return nil, noQueue()
	}
	return wire.Struct{kv("QueueUrl", c.url(name))}, nil
}

func (c *call) listQueues() (wire.Struct, error) {
	size, ok, err := c.p.Int("MaxResults")
	if err != nil || ok && (size < 1 || size > maxListed) {
		return nil, wire.Errorf(codeParameter, "Value %s for parameter MaxResults is invalid. Reason: must be an integer from 1 to %d.", c.p.Str("MaxResults"), maxListed)
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(c.queues)) {
		if strings.HasPrefix(name, c.p.Str("QueueNamePrefix")) {
			names = append(names, name)
		}
	}
	part, next, ok := wire.Page(names, func(s string) string { return s }, c.p.Str("NextToken"), min(cmp.Or(size, maxListed), c.s.cfg.MaxPageSize))
	if !ok {
		return nil, wire.Errorf(codeParameter, "Value for parameter NextToken is invalid.")
	}
	return wire.Struct{kv("QueueUrls", wire.ListOf(part, c.url)), kv("NextToken", wire.Opt(next))}, nil
}
