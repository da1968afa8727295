package cri

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// maxLine of a log, in bytes; longer ones are written in parts.
const maxLine = 16 << 10

// log is what a container prints, in the format that the kubelet reads.
type log struct {
	path string

	mu     sync.Mutex
	file   *os.File
	copies sync.WaitGroup
}

func newLog(path string) *log { return &log{path: path} }

// open returns where a container is to write.
func (l *log) open() (stdout, stderr *os.File, err error) {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o755); err != nil { //nolint:gosec // G301: as every runtime does
		return nil, nil, fmt.Errorf("a container's log: %w", err)
	}
	if err := l.reopen(); err != nil {
		return nil, nil, err
	}
	var ends []*os.File
	for _, stream := range []string{"stdout", "stderr"} {
		out, in, err := os.Pipe()
		if err != nil {
			for _, f := range ends {
				f.Close()
			}
			return nil, nil, fmt.Errorf("a container's log: %w", err)
		}
		ends = append(ends, in)
		l.copies.Go(func() {
			defer out.Close()
			l.copyFrom(out, stream)
		})
	}
	return ends[0], ends[1], nil
}

// copyFrom a stream, line by line, until it ends. What cannot be written is lost.
func (l *log) copyFrom(r io.Reader, stream string) {
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, partial, err := lines.ReadLine()
		if err != nil {
			return
		}
		tag := "F"
		if partial {
			tag = "P"
		}
		l.mu.Lock()
		if l.file != nil {
			fmt.Fprintf(l.file, "%s %s %s %s\n", time.Now().Format(time.RFC3339Nano), stream, tag, line)
		}
		l.mu.Unlock()
	}
}

// reopen the file, which was moved away.
func (l *log) reopen() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("a container's log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		err = l.file.Close()
	}
	l.file = f
	return err
}

// close the log of a container that has ended, once all is written.
func (l *log) close() {
	l.copies.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close() // what was printed is written
		l.file = nil
	}
}

func (l *log) remove() error {
	if err := os.Remove(l.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("a container's log: %w", err)
	}
	return nil
}
