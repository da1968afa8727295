package sqs

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/wire"
)

const maxBatch = 10 // messages of one call

// seconds that a call gives, or else what the queue has.
func (c *call) seconds(name string, most int, instead time.Duration) (time.Duration, error) {
	n, ok, err := c.p.Int(name)
	switch {
	case err != nil || n < 0 || n > most:
		return 0, wire.Errorf(codeParameter, "Value %s for parameter %s is invalid. Reason: must be an integer from 0 to %d.", c.p.Str(name), name, most)
	case !ok:
		return instead, nil
	}
	return time.Duration(n) * time.Second, nil
}

func (c *call) sendMessage() (wire.Struct, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	body := c.p.Str("MessageBody")
	switch {
	case body == "":
		return nil, wire.Errorf(codeMissing, "The request must contain the parameter MessageBody.")
	case len(body) > q.settings.maxSize:
		return nil, wire.Errorf(codeParameter, "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", q.settings.maxSize)
	case strings.ContainsFunc(body, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff }):
		return nil, wire.Errorf(codeContents, "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
	case len(c.p.Struct("MessageAttributes"))+len(c.p.Struct("MessageSystemAttributes")) > 0:
		return nil, wire.Errorf("NotSimulated", "attributes of messages are not simulated")
	}
	delay, err := c.seconds("DelaySeconds", 900, q.settings.delay)
	if err != nil {
		return nil, err
	}
	m := q.add(c.s, body, delay)
	return wire.Struct{kv("MessageId", m.id), kv("MD5OfMessageBody", md5sum(body))}, nil
}

// receiveMessage waits without the lock until there is a message, or time is up.
func (c *call) receiveMessage() (wire.Struct, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	n, ok, err := c.p.Int("MaxNumberOfMessages")
	if err != nil || ok && (n < 1 || n > maxBatch) {
		return nil, wire.Errorf(codeParameter, "Value %s for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and %d, if provided.", c.p.Str("MaxNumberOfMessages"), maxBatch)
	}
	wait, err := c.seconds("WaitTimeSeconds", 20, q.settings.wait)
	if err != nil {
		return nil, err
	}
	hidden, err := c.seconds("VisibilityTimeout", 43200, q.settings.visibility)
	if err != nil {
		return nil, err
	}
	deadline := c.now.Add(wait)
	for {
		now := c.s.cfg.Now()
		got, next := q.take(now, max(n, 1), hidden)
		if len(got) > 0 || !now.Before(deadline) {
			return c.received(got), nil
		}
		if next.IsZero() || next.After(deadline) {
			next = deadline
		}
		if err := c.await(q, next.Sub(now)); err != nil {
			return nil, err
		}
		if q.gone {
			return nil, noQueue()
		}
	}
}

// await a change of the queue for some time. The lock is free meanwhile.
func (c *call) await(q *queue, d time.Duration) error {
	changed := q.changed
	c.s.mu.Unlock()
	defer c.s.mu.Lock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-c.ctx.Done():
		return fmt.Errorf("waiting for messages: %w", c.ctx.Err())
	}
	return nil
}

func (c *call) received(got []*message) wire.Struct {
	if len(got) == 0 {
		return nil
	}
	wanted := append(c.p.Strings("AttributeNames"), c.p.Strings("MessageSystemAttributeNames")...)
	return wire.Struct{kv("Messages", wire.ListOf(got, func(m *message) wire.Struct {
		out := wire.Struct{kv("MessageId", m.id), kv("ReceiptHandle", m.handle()), kv("MD5OfBody", md5sum(m.body)), kv("Body", m.body)}
		attributes := wire.Struct{}
		for _, a := range []wire.Member{
			kv("ApproximateFirstReceiveTimestamp", fmt.Sprint(m.first.UnixMilli())), kv("ApproximateReceiveCount", fmt.Sprint(m.received)),
			kv("SenderId", sts.CallerARN(c.region, c.account)), kv("SentTimestamp", fmt.Sprint(m.sent.UnixMilli())),
		} {
			if slices.Contains(wanted, a.Name) || slices.Contains(wanted, "All") {
				attributes = append(attributes, a)
			}
		}
		if len(attributes) > 0 {
			out = append(out, kv("Attributes", attributes))
		}
		return out
	}))}
}

func (c *call) deleteMessage() (wire.Struct, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	return nil, q.remove(c.p.Str("ReceiptHandle"))
}

func (c *call) deleteMessageBatch() (wire.Struct, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	entries := c.p.List("Entries")
	switch n := len(entries); {
	case n == 0:
		return nil, wire.Errorf(codeEmptyBatch, "There should be at least one DeleteMessageBatchRequestEntry in the request.")
	case n > maxBatch:
		return nil, wire.Errorf(codeTooMany, "Maximum number of entries per request are %d. You have sent %d.", maxBatch, n)
	}
	seen := map[string]bool{}
	for _, e := range entries {
		id := e.Str("Id")
		if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`).MatchString(id) {
			return nil, wire.Errorf(codeBatchEntryIDs, "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[id] {
			return nil, wire.Errorf(codeNotDistinct, "Id %s repeated.", id)
		}
		seen[id] = true
	}
	done, failed := wire.List{}, wire.List{}
	for _, e := range entries {
		err := q.remove(e.Str("ReceiptHandle"))
		if refused, ok := errors.AsType[*wire.Error](err); ok {
			failed = append(failed, wire.Struct{kv("Id", e.Str("Id")), kv("SenderFault", true), kv("Code", refused.Code), kv("Message", refused.Message)})
			continue
		}
		done = append(done, wire.Struct{kv("Id", e.Str("Id"))})
	}
	return wire.Struct{kv("Successful", done), kv("Failed", failed)}, nil
}
