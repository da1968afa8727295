package kubeconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/norikae/norikae/internal/fault"
)

// maxSize of a file that is compared, in bytes: one that is larger is not ours.
const maxSize = 1 << 20

// Write the kubeconfig of a cluster: a reader sees the old file or the new one, never a
// part of it. Only its owner may read it, and enter the folders that are made for it. A
// file that is not ours is left alone (fault.ErrConflict), unless overwrite says otherwise.
func Write(path string, c Cluster, overwrite bool) error {
	_, err := write(path, c, overwrite)
	return err
}

// Ensure that the file is there and says what it should, as Write does; written tells
// whether it did not. On a machine that never saw the cluster it makes the file.
func Ensure(path string, c Cluster) (written bool, err error) { return write(path, c, false) }

// Remove the file of a cluster, of which name and region are looked at. It is no error when
// there is none; that of another cluster stays, and so does one that is not ours
// (fault.ErrConflict).
func Remove(path string, c Cluster) error {
	text, err := ours(path, false)
	if err != nil || !c.wrote(text) {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the kubeconfig: %w", err)
	}
	return nil
}

func write(path string, c Cluster, overwrite bool) (written bool, err error) {
	if path == "" {
		return false, fault.Terminal("InvalidKubeconfig", errors.New("the kubeconfig's path is empty: want the path of a file"))
	}
	want, err := Render(c)
	if err != nil {
		return false, err
	}
	is, err := ours(path, overwrite)
	if err != nil {
		return false, err
	}
	if info, statErr := os.Lstat(path); statErr == nil && bytes.Equal(is, want) && info.Mode() == 0o600 {
		return false, nil
	}
	if err := replace(path, want); err != nil {
		return false, fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return true, nil
}

// ours reads the file; nothing when there is none. One that is not ours is an error, unless
// any will do.
func ours(path string, anyFile bool) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	foreign := fmt.Errorf("%w: %s was not written by norikae, and is left alone: name another path, or move it away", fault.ErrConflict, path)
	if !info.Mode().IsRegular() {
		return nil, foreign
	}
	if info.Size() > maxSize {
		if anyFile {
			return nil, nil
		}
		return nil, foreign
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	if !anyFile && !bytes.HasPrefix(text, []byte(marker)) {
		return nil, foreign
	}
	return text, nil
}

// wrote tells whether a file of ours is the cluster's.
func (c Cluster) wrote(text []byte) bool {
	if !bytes.HasPrefix(text, []byte(marker+c.Name+";")) {
		return false
	}
	var file struct {
		Users []struct {
			User struct{ Exec struct{ Args []string } }
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil || len(file.Users) == 0 {
		return true // what somebody changed is lost
	}
	args := file.Users[0].User.Exec.Args
	at := slices.Index(args, "--region") + 1
	return at == 0 || at == len(args) || args[at] == c.Region
}

// replace the file by rename, in its own folder.
func replace(path string, text []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".kubeconfig-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
