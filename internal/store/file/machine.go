package file

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// MachineID names the machine for leases: all runs that share the directory of the
// journals, and with it their locks, have the same, and nobody else. It is made at the
// first call.
func MachineID(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", noDirectory(err)
	}
	path := filepath.Join(dir, "machine-id")
	for {
		b, err := os.ReadFile(path)
		if id := strings.TrimSpace(string(b)); err == nil && id != "" {
			return id, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("reading the machine's name: %w", err)
		}
		if err := makeMachineID(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("naming the machine: %w", err)
		}
	}
}

// Holder names, in leases, the runs of this machine that share a route's journal: while
// one of them has it open, all others are dead. Two declarations may name the same route
// in two ways; those have two journals, know nothing of each other, and so differ here.
func Holder(dir, route string) (string, error) {
	id, err := MachineID(dir)
	return id + "." + short(route), err
}

// makeMachineID links a whole file into place, so that two first runs agree.
func makeMachineID(path string) error {
	host, err := os.Hostname()
	if err != nil {
		host = "machine"
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".machine-id-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // the link stays
	_, err = fmt.Fprintf(f, "%.40s-%s\n", plain(host), strings.ToLower(rand.Text()[:8]))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if b, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(b)) == "" {
		return os.Rename(f.Name(), path) // an empty one names nobody
	}
	return os.Link(f.Name(), path)
}

// plain keeps what both file names and AWS tag values take.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, s)
}
