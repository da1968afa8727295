package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/norikae/norikae/internal/fault"
)

// get a URL. The caller closes the answer's body.
func (f *Fetcher) get(ctx context.Context, r release, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", url, err)
	}
	req.Header.Set("User-Agent", "norikae")
	// What is hashed must be what was published, not what was packed on the way.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking for it: %w", err) // the error names the URL
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	_ = resp.Body.Close() // what it says is not looked at
	if resp.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("%w: %s: there is no such release for this machine, or it was published without checksums; see %s", fault.ErrNotFound, url, r.page)
	}
	return nil, fmt.Errorf("%s answers %s", url, resp.Status)
}

// published is the SHA-256 checksum that the project published of the archive.
func (f *Fetcher) published(ctx context.Context, r release) (string, error) {
	resp, err := f.get(ctx, r, r.sums)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxSums+1))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", r.sums, err)
	}
	if len(text) > maxSums {
		return "", fmt.Errorf("%s has more than %d bytes: these are no checksums", r.sums, maxSums)
	}
	sum, err := find(string(text), r.file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", r.sums, err)
	}
	return sum, nil
}

// find a file's checksum among lines as sha256sum writes them; a single checksum without a
// name is that of the one file beside it.
func find(text, file string) (string, error) {
	var found string
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines {
		words := strings.Fields(line)
		named := len(words) == 2 && strings.TrimPrefix(words[1], "*") == file
		if !named && (len(lines) != 1 || len(words) != 1) {
			continue
		}
		sum := strings.ToLower(words[0])
		if raw, err := hex.DecodeString(sum); err != nil || len(raw) != sha256.Size {
			return "", fmt.Errorf("%.80q is no SHA-256 checksum", words[0])
		}
		if found != "" && found != sum {
			return "", fmt.Errorf("it has two checksums of %s", file)
		}
		found = sum
	}
	if found == "" {
		return "", fmt.Errorf("it has no checksum of %s", file)
	}
	return found, nil
}

// download the archive, and check it.
func (f *Fetcher) download(ctx context.Context, r release, path, sum string, progress Progress) (err error) {
	resp, err := f.get(ctx, r, r.archive)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.ContentLength > f.maxArchive {
		return fmt.Errorf("%s has %d bytes, more than %d: it is not fetched", r.archive, resp.ContentLength, f.maxArchive)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("making a file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	hash := sha256.New()
	out := io.MultiWriter(file, hash, &meter{total: resp.ContentLength, tell: progress})
	n, err := io.Copy(out, io.LimitReader(resp.Body, f.maxArchive+1))
	if err != nil {
		return fmt.Errorf("reading %s, after %d bytes: %w", r.archive, n, err)
	}
	if n > f.maxArchive {
		return fmt.Errorf("%s has more than %d bytes: it is not fetched", r.archive, f.maxArchive)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return fault.Terminal("ChecksumMismatch", fmt.Errorf(
			"%s has the SHA-256 checksum %s, and %s says %s: it was changed on the way or at its place, and is not used", r.archive, got, r.sums, sum))
	}
	return nil
}

// meter tells of progress, once a mebibyte and at the end.
type meter struct {
	done, told, total int64
	tell              Progress
}

// Write implements io.Writer.
func (m *meter) Write(b []byte) (int, error) {
	m.done += int64(len(b))
	if m.tell != nil && (m.done-m.told >= 1<<20 || m.done == m.total) {
		m.told = m.done
		m.tell(m.done, m.total)
	}
	return len(b), nil
}

// fileSum is the SHA-256 checksum of a file.
func fileSum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	defer func() { _ = file.Close() }() // only read
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
