package terraform

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// github as a provider sees it that reaches the outside by a proxy: files by path.
type github struct {
	env []string // leads there

	mu    sync.Mutex
	asked []string
}

func startGitHub(t *testing.T, files map[string][]byte) *github {
	t.Helper()
	g := &github{}
	certificate, file := certificateOf(t, "github.com")
	site := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.asked = append(g.asked, r.URL.Path)
		g.mu.Unlock()
		b, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(b)
	}))
	site.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	site.StartTLS()
	t.Cleanup(site.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "github.com:443" {
			http.Error(w, "only github.com is here", http.StatusForbidden)
			return
		}
		tunnel(r, w, site.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	g.env = []string{"HTTPS_PROXY=" + proxy.URL, "SSL_CERT_FILE=" + file}
	return g
}

// tunnel bytes between a client and an address.
func tunnel(r *http.Request, w http.ResponseWriter, address string) {
	var d net.Dialer
	far, err := d.DialContext(r.Context(), "tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = far.Close() }()
	near, early, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = near.Close() }()
	if _, err := io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(far, early) // what the server has read already comes first
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
}

// certificateOf a host, and the file of those who trust it.
func certificateOf(t *testing.T, host string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// pluginRelease is the stand-in for helm-diff, packed as helm-diff is.
func pluginRelease(t *testing.T) []byte {
	t.Helper()
	program, err := os.ReadFile(filepath.Join(os.Getenv(helmDiffVar), "diff", "helmdiff"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	w := tar.NewWriter(packed)
	for _, f := range []struct {
		name string
		mode int64
		text []byte
	}{
		{"diff/plugin.yaml", 0o644, []byte("name: diff\nversion: 3.15.13\nusage: stand-in\ndescription: stand-in\nignoreFlags: false\ncommand: $HELM_PLUGIN_DIR/bin/diff\n")},
		{"diff/bin/diff", 0o755, program},
	} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func fetchedPlugin(t *testing.T, r *releases) {
	const good, changed, old = "3.15.13", "3.15.12", "v3.1.3"
	system, ok := map[string]string{"linux": "linux", "darwin": "macos"}[runtime.GOOS]
	if !ok {
		t.Fatalf("helm-diff is not fetched for %s", runtime.GOOS)
	}
	file, packed := fmt.Sprintf("helm-diff-%s-%s.tgz", system, runtime.GOARCH), pluginRelease(t)
	path := func(version, name string) string {
		return "/databus23/helm-diff/releases/download/v" + version + "/" + name
	}
	sums := fmt.Appendf(nil, "%x  %s\n", sha256.Sum256(packed), file)
	g := startGitHub(t, map[string][]byte{
		path(good, file): packed, path(good, "helm-diff_"+good+"_checksums.txt"): sums,
		path(changed, file): append(slices.Clone(packed), 0), path(changed, "helm-diff_"+changed+"_checksums.txt"): sums,
	})
	installed := "HELM_PLUGINS=" + os.Getenv(helmDiffVar)
	none := "HELM_PLUGINS=" + t.TempDir()
	r.env = append(r.env, g.env...)
	declared := func(version string) string {
		return r.set("web", fmt.Sprintf("values = [yamlencode({ greeting = \"hello\" })]\nhelm_diff_version = %q", version))
	}

	r.env = append(r.env, none)
	r.write(t, declared(good))
	r.apply(t)
	r.greets(t, "web", "hello")
	r.empty(t)
	if want := []string{path(good, "helm-diff_"+good+"_checksums.txt"), path(good, file)}; !slices.Equal(g.asked, want) {
		t.Errorf("asked for %q, want %q: once, and then kept", g.asked, want)
	}

	r.write(t, declared(changed))
	contains(t, r.fails(t, "plan").errors(), "helm_diff_version", "has the SHA-256 checksum", "is not used")

	// A file of old goes on with the plugin that is installed.
	r.env = append(r.env, installed)
	r.write(t, declared(old))
	contains(t, diagnosticsOf(r.ok(t, "apply", "-auto-approve", "-json")).warnings(), `helm_diff_version = "v3.1.3" is not used`, "without checksums")
	r.greets(t, "web", "hello")
}

// warnings said, one a line.
func (d diagnostics) warnings() string {
	var b strings.Builder
	for _, w := range d.all {
		if w.Severity == "warning" {
			fmt.Fprintf(&b, "%s: %s\n", w.Summary, w.Detail)
		}
	}
	return b.String()
}
