package release

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// unpack the one member of a .tar.gz that is wanted, a regular file, to where it is to be;
// no name in the archive says where. Archives with names that lead elsewhere are refused.
func (f *Fetcher) unpack(archive, member, to string) (err error) {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	packed, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("it is no gzip: %w", err)
	}
	// One byte more than is allowed: reading it tells.
	limited := &io.LimitedReader{R: packed, N: f.maxUnpacked + 1}
	reader, found := tar.NewReader(limited), false
	for {
		head, err := reader.Next()
		switch {
		case limited.N <= 0:
			return fmt.Errorf("it holds more than %d bytes", f.maxUnpacked)
		case errors.Is(err, io.EOF) && !found:
			return fmt.Errorf("it has no file %s", member)
		case errors.Is(err, io.EOF):
			return drain(limited, f.maxUnpacked)
		case err != nil:
			return fmt.Errorf("it is no tar: %w", err)
		case !filepath.IsLocal(head.Name):
			return fmt.Errorf("the name %.200q in it leads elsewhere", head.Name)
		}
		if path.Clean(head.Name) != member {
			continue
		}
		if head.Typeflag != tar.TypeReg || found {
			return fmt.Errorf("its %s is not one regular file", member)
		}
		found = true
		if err := extract(reader, to); err != nil {
			if limited.N <= 0 {
				return fmt.Errorf("it holds more than %d bytes", f.maxUnpacked)
			}
			return err
		}
	}
}

// drain what follows the tar: gzip's own checksum is at its end.
func drain(r *io.LimitedReader, most int64) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("its end: %w", err)
	}
	if r.N <= 0 {
		return fmt.Errorf("it holds more than %d bytes", most)
	}
	return nil
}

// extract a program that its owner may run.
func extract(r io.Reader, to string) (err error) {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700) //nolint:gosec // it is to be run
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r)
	return errors.Join(err, out.Sync(), out.Close())
}
