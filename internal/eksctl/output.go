package eksctl

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

const (
	maxTail = 64 << 10 // bytes of output that are kept
	maxLine = 16 << 10 // bytes after which a line is cut in two
)

// bounded takes MaxStdout bytes, and notes that there were more.
type bounded struct {
	into *bytes.Buffer
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.over = b.over || b.into.Len()+len(p) > MaxStdout; !b.over {
		b.into.Write(p)
	}
	return len(p), nil
}

// lines takes the output of a program, line by line. What comes after its end is dropped:
// a process that the program left behind may still hold the pipe.
type lines struct {
	mu    sync.Mutex
	ended bool
	scrub *scrubber
	each  func(string)
	part  []byte // of a line that has no end yet
	tail  tail
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	if l.ended {
		return n, nil
	}
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			l.part = append(l.part, p...)
			for len(l.part) > maxLine {
				l.line(l.part[:maxLine])
				l.part = append([]byte(nil), l.part[maxLine:]...)
			}
			break
		}
		l.line(append(l.part, p[:i]...))
		l.part, p = l.part[:0], p[i+1:]
	}
	return n, nil
}

// end of the output; it gives the tail.
func (l *lines) end() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.part) > 0 {
		l.line(l.part)
	}
	l.part, l.ended = nil, true
	return l.tail.String()
}

func (l *lines) line(b []byte) {
	s := l.scrub.clean(strings.ToValidUTF8(strings.TrimRight(string(b), "\r"), "\uFFFD"))
	l.tail.add(s)
	if l.each != nil {
		l.each(s)
	}
}

// tail keeps the last whole lines, at most maxTail bytes of them.
type tail struct {
	lines []string
	size  int // bytes of lines, with their ends
	left  int // bytes that were left out
}

func (t *tail) add(s string) {
	t.lines = append(t.lines, s)
	t.size += len(s) + 1
	for t.size > maxTail {
		n := len(t.lines[0]) + 1
		t.size, t.left, t.lines = t.size-n, t.left+n, t.lines[1:]
	}
}

func (t *tail) String() string {
	if len(t.lines) == 0 {
		return ""
	}
	s := strings.Join(t.lines, "\n") + "\n"
	if t.left > 0 {
		return fmt.Sprintf("(%d bytes before this are left out)\n", t.left) + s
	}
	return s
}

// scrubber takes secrets out of text.
type scrubber struct {
	values *strings.Replacer
}

const masked = "(hidden)"

var (
	// secretWords are what credentials look like: access keys, tokens of clusters, and what
	// follows the name of a secret.
	secretWords = regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|k8s-aws-v1\.[A-Za-z0-9_=-]+|-----BEGIN [A-Z ]*PRIVATE KEY-----.*`)
	secretAfter = regexp.MustCompile(`(?i)((?:secret[_ -]?access[_ -]?key|session[_ -]?token|security[_-]token|x-amz-signature|password)["']?\s*[:=]\s*["']?)[^\s"'&]+`)
	secretNames = []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_CONTAINER_AUTHORIZATION_TOKEN"}
)

// newScrubber knows the secrets of an environment.
func newScrubber(env []string) *scrubber {
	var pairs []string
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		for _, s := range secretNames {
			if name == s && len(value) >= 8 { // shorter ones are no secrets, and are everywhere
				pairs = append(pairs, value, masked)
			}
		}
	}
	return &scrubber{values: strings.NewReplacer(pairs...)}
}

func (s *scrubber) clean(line string) string {
	line = s.values.Replace(line)
	line = secretWords.ReplaceAllString(line, masked)
	return secretAfter.ReplaceAllString(line, "${1}"+masked)
}
