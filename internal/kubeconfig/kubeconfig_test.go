package kubeconfig

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/norikae/norikae/internal/fault"
)

// pem is no certificate of anybody's: nothing here looks inside.
const pem = "-----BEGIN CERTIFICATE-----\nZmFrZQ==\n-----END CERTIFICATE-----\n"

func green() Cluster {
	return Cluster{
		Name: "green", ARN: "arn:aws:eks:eu-west-1:111122223333:cluster/green", Endpoint: "https://ABC.gr7.eu-west-1.eks.amazonaws.com",
		CA: []byte(pem), Region: "eu-west-1",
	}
}

func TestAFileSaysWhereAndAsWhom(t *testing.T) {
	full := green()
	full.ExternalID = "of us"
	full.Profile, full.RoleARN, full.Address, full.Command = "ops: prod", "arn:aws:iam::111122223333:role/deployer", "http://127.0.0.1:4599", "/opt/norikae/bin/norikae"
	for name, tc := range map[string]struct {
		cluster Cluster
		golden  string
	}{
		"plain":                      {green(), "plain.yaml"},
		"with everything":            {full, "full.yaml"},
		"by its name, anybody's AWS": {Cluster{Name: "green", Endpoint: "https://127.0.0.1:6443", CA: []byte(pem)}, "name.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Render(tc.cluster)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", tc.golden)
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("%s (-want +got; UPDATE_GOLDEN=1 writes it):\n%s", file, d)
			}
			cfg, err := clientcmd.Load(got)
			if err != nil {
				t.Fatal(err)
			}
			if err := clientcmd.Validate(*cfg); err != nil {
				t.Error(err)
			}
			rest, err := clientcmd.NewDefaultClientConfig(*cfg, nil).ClientConfig()
			if err != nil {
				t.Fatal(err)
			}
			if rest.Host != tc.cluster.Endpoint || string(rest.CAData) != pem || rest.ExecProvider == nil || rest.BearerToken != "" {
				t.Errorf("a client reads %+v", rest)
			}
		})
	}
}

func TestWhatIsNoClusterIsNotWritten(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Cluster)
		want   string
	}{
		"no name":         {func(c *Cluster) { c.Name = "" }, `name "": want the name of an EKS cluster`},
		"two lines":       {func(c *Cluster) { c.Name = "green\nusers: []" }, `name "green\nusers: []"`},
		"no endpoint yet": {func(c *Cluster) { c.Endpoint = "" }, "is being created has none yet"},
		"plain HTTP":      {func(c *Cluster) { c.Endpoint = "http://127.0.0.1" }, `endpoint "http://127.0.0.1": want an https URL`},
		"base64, not PEM": {func(c *Cluster) { c.CA = []byte("LS0tLS1") }, "the certificate authority is not PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			c := green()
			tc.change(&c)
			path := filepath.Join(t.TempDir(), "kubeconfig")
			_, err := Ensure(path, c)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !fault.IsTerminal(err) {
				t.Errorf("the error is %v", err)
			}
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("there is a file: %v", err)
			}
		})
	}
}

func TestC14_AMissingOrStaleFileIsWrittenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "kubeconfig")
	moved := green()
	moved.Endpoint = "https://127.0.0.1:6443"
	step := func(c Cluster, want bool, what string) {
		t.Helper()
		written, err := Ensure(path, c)
		if err != nil || written != want {
			t.Errorf("%s: written is %v, %v", what, written, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Fatalf("%s: the file is %v, %v", what, info, err)
		}
		rendered, err := Render(c)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != string(rendered) {
			t.Errorf("%s: the file says\n%s%v", what, text, err)
		}
		left, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(left) != 1 {
			t.Errorf("%s: beside it there is more: %v, %v", what, left, err)
		}
	}
	step(green(), true, "missing")
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its folder is %v, %v", info, err)
	}
	step(green(), false, "as it should be")
	step(moved, true, "stale")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	step(moved, true, "readable for others")
	if err := os.WriteFile(path, []byte(marker+"green"), 0o600); err != nil {
		t.Fatal(err)
	}
	step(moved, true, "cut off")
	if err := Remove(path, green()); err != nil {
		t.Error(err)
	}
	if err := Remove(path, green()); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a file: %v", err)
	}
}

func TestAFileOfSomebodyElseIsLeftAlone(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, path string){
		"a kubeconfig": func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path, []byte("apiVersion: v1\nkind: Config\n"), 0o640); err != nil {
				t.Fatal(err)
			}
		},
		"a large file": func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(marker+strings.Repeat("x", maxSize)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config")
			make(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, ensured := Ensure(path, green())
			for what, err := range map[string]error{"Ensure": ensured, "Write": Write(path, green(), false), "Remove": Remove(path, green())} {
				if !errors.Is(err, fault.ErrConflict) || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
				t.Errorf("it was changed: %v", err)
			}
			if err := Write(path, green(), true); err != nil {
				t.Errorf("told to overwrite it: %v", err)
			}
			if written, err := Ensure(path, green()); written || err != nil {
				t.Errorf("now it is ours: %v, %v", written, err)
			}
		})
	}
	t.Run("a folder", func(t *testing.T) {
		path := t.TempDir()
		if _, err := Ensure(path, green()); !errors.Is(err, fault.ErrConflict) {
			t.Errorf("the error is %v", err)
		}
		if err := Write(path, green(), true); err == nil {
			t.Error("a folder was overwritten")
		}
	})
	t.Run("no path", func(t *testing.T) {
		if _, err := Ensure("", green()); err == nil || !strings.Contains(err.Error(), "path is empty") {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestManyWritersLeaveOneWholeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := Ensure(path, green()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if written, err := Ensure(path, green()); written || err != nil {
		t.Errorf("it was not whole: %v, %v", written, err)
	}
}

// A cluster that takes the place of another may have its file, too, and is made before the
// other goes.
func TestTheFileOfAnotherClusterIsNotRemoved(t *testing.T) {
	blue, alike, elsewhere, regionless := green(), green(), green(), green()
	blue.Name, alike.Name, elsewhere.Region, regionless.Region = "blue", "green-2", "us-east-1", ""
	for name, tc := range map[string]struct {
		file, of Cluster
		stays    bool
	}{
		"its own":                     {green(), green(), false},
		"another one's":               {blue, green(), true},
		"of one that is called alike": {alike, green(), true},
		"of another region":           {elsewhere, green(), true},
		"of no region":                {regionless, green(), false},
	} {
		path := filepath.Join(t.TempDir(), "config")
		if err := Write(path, tc.file, false); err != nil {
			t.Fatal(err)
		}
		if err := Remove(path, tc.of); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); (err == nil) != tc.stays {
			t.Errorf("%s: %v", name, err)
		}
	}
}
