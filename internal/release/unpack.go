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

// unpack the members of a .tar.gz that are wanted, regular files, to where they are to be
// below a folder; no name in the archive says where. Archives with names that lead
// elsewhere are refused.
func (f *Fetcher) unpack(archive string, members []member, dir string) (err error) {
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
	wanted := map[string]string{}
	for _, m := range members {
		wanted[m.from] = filepath.Join(dir, m.to)
	}
	err = unpackFrom(tar.NewReader(limited), members, wanted)
	if limited.N <= 0 {
		return fmt.Errorf("it holds more than %d bytes", f.maxUnpacked)
	}
	if err != nil {
		return err
	}
	return drain(limited, f.maxUnpacked)
}

func unpackFrom(reader *tar.Reader, members []member, wanted map[string]string) error {
	found := map[string]bool{}
	for {
		head, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			for _, m := range members {
				if !found[m.from] {
					return fmt.Errorf("it has no file %s", m.from)
				}
			}
			return nil
		case err != nil:
			return fmt.Errorf("it is no tar: %w", err)
		case !filepath.IsLocal(head.Name):
			return fmt.Errorf("the name %.200q in it leads elsewhere", head.Name)
		}
		name := path.Clean(head.Name)
		to, ok := wanted[name]
		if !ok {
			continue
		}
		if head.Typeflag != tar.TypeReg || found[name] {
			return fmt.Errorf("its %s is not one regular file", name)
		}
		found[name] = true
		if err := extract(reader, to); err != nil {
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
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700) //nolint:gosec // it is to be run
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r)
	return errors.Join(err, out.Sync(), out.Close())
}
