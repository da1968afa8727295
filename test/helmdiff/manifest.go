package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

type object = map[string]any

// objects of a manifest by what helm-diff calls them: "namespace, name, Kind (version)".
func objects(manifest, namespace string) (map[string]object, error) {
	out := map[string]object{}
	decoder := yaml.NewDecoder(strings.NewReader(manifest))
	for {
		var o object
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading a manifest: %w", err)
		}
		if o != nil {
			encode(o)
			out[id(o, namespace)] = o
		}
	}
}

// encode what a Secret says in plain text, as the API server does.
func encode(o object) {
	plain, ok := o["stringData"].(object)
	if !ok || o["kind"] != "Secret" {
		return
	}
	data, _ := o["data"].(object)
	if data == nil {
		data = object{}
	}
	for k, v := range plain {
		data[k] = base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(v)))
	}
	o["data"] = data
	delete(o, "stringData")
}

func id(o object, namespace string) string {
	meta, _ := o["metadata"].(object)
	ns, _ := meta["namespace"].(string)
	return fmt.Sprintf("%s, %v, %v (%v)", cmp.Or(ns, namespace), meta["name"], o["kind"], o["apiVersion"])
}

// overlay replaces, in have, what is to stay by what is live of it: the fields that want
// says something about; and in want by what the API server would make of that, as helm-diff
// asks it: the server writes a quantity its own way, and fills in what is left out.
func overlay(ctx context.Context, have, want map[string]object) error {
	for id, w := range want {
		h, ok := have[id]
		if !ok {
			continue
		}
		live, found, err := get(ctx, w, strings.Split(id, ", ")[0])
		if err != nil {
			return err
		}
		if !found {
			delete(have, id)
			continue
		}
		dropNulls(h)
		dropNulls(w)
		if after, err := patched(ctx, live, h, w, strings.Split(id, ", ")[0]); err == nil { // else the chart says what comes
			want[id], _ = project(after, h, w).(object)
		}
		// What the chart no longer says stays as it was installed: its removal is a change.
		have[id], _ = project(live, h, w).(object)
	}
	return nil
}

// dropNulls of a manifest: to Helm they are not there.
func dropNulls(v any) {
	switch v := v.(type) {
	case object:
		for key, value := range v {
			if value == nil {
				delete(v, key)
			}
			dropNulls(value)
		}
	case []any:
		for _, value := range v {
			dropNulls(value)
		}
	}
}

// patched is what the API server would make of a live object, were it given what is
// wanted, and rid of what was installed and is not wanted.
func patched(ctx context.Context, live, installed, want object, namespace string) (object, error) {
	patch, err := json.Marshal(mergePatch(installed, want))
	if err != nil {
		return nil, fmt.Errorf("writing a patch: %w", err)
	}
	f, err := os.CreateTemp("", "helmdiff-")
	if err != nil {
		return nil, fmt.Errorf("a patch's file: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(patch)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("a patch's file: %w", err)
	}
	items, err := kubectl(ctx, live, "patch", "--namespace", namespace, "--dry-run=server", "--type=merge", "--patch-file", f.Name(), "-o", "yaml", "-f", "-")
	if err != nil || len(items) == 0 {
		return nil, errors.Join(err, errors.New("nothing was patched"))
	}
	return items[0], nil
}

// mergePatch from what was installed to what is wanted.
func mergePatch(installed, want object) object {
	out := object{}
	for key, w := range want {
		i, iok := installed[key].(object)
		if wo, wok := w.(object); wok && iok {
			out[key] = mergePatch(i, wo)
		} else {
			out[key] = w
		}
	}
	for key := range installed {
		if _, ok := want[key]; !ok {
			out[key] = nil
		}
	}
	return out
}

// get what is live of an object.
func get(ctx context.Context, o object, namespace string) (live object, found bool, err error) {
	items, err := kubectl(ctx, o, "get", "--namespace", namespace, "--ignore-not-found", "-o", "yaml", "-f", "-")
	if err != nil || len(items) == 0 {
		return nil, false, err
	}
	return items[0], true, nil
}

// kubectl reads an object, and prints objects.
func kubectl(ctx context.Context, o object, args ...string) ([]object, error) {
	text, err := yaml.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("writing %v: %w", o["kind"], err)
	}
	program := "kubectl"
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		program = filepath.Join(dir, "kubectl")
	}
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // G204: of the tests
	cmd.Stdin = bytes.NewReader(text)
	out, err := output(cmd)
	if err != nil || strings.TrimSpace(out) == "" {
		return nil, err
	}
	// Of what is read from a file, kubectl get makes a list.
	var answer struct {
		Kind  string
		Items []object
	}
	if err := yaml.Unmarshal([]byte(out), &answer); err != nil {
		return nil, fmt.Errorf("reading what kubectl printed: %w", err)
	}
	if answer.Kind == "List" {
		return answer.Items, nil
	}
	one := object{}
	if err := yaml.Unmarshal([]byte(out), &one); err != nil {
		return nil, fmt.Errorf("reading what kubectl printed: %w", err)
	}
	return []object{one}, nil
}

// project keeps of live what was installed or is wanted; other fields are the server's own.
func project(live, installed, want any) any {
	if l, ok := live.([]any); ok {
		return projectList(l, installed, want)
	}
	l, ok := live.(object)
	w, wok := want.(object)
	if !ok || !wok {
		return live
	}
	i, _ := installed.(object)
	out := object{}
	for _, key := range slices.Concat(slices.Collect(maps.Keys(i)), slices.Collect(maps.Keys(w))) {
		if v, ok := l[key]; ok {
			out[key] = project(v, i[key], w[key])
		}
	}
	return out
}

// projectList does so with elements of the same name; what is there besides is shown.
func projectList(live []any, installed, want any) []any {
	i, _ := installed.([]any)
	w, _ := want.([]any)
	out := make([]any, len(live))
	for at, l := range live {
		out[at] = project(l, like(l, at, i), like(l, at, w))
	}
	return out
}

// like is the element of a list with the name of this one, else at its place.
func like(element any, at int, list []any) any {
	name, named := nameOf(element)
	for i, e := range list {
		other, ok := nameOf(e)
		if named && ok && other == name || !named && i == at {
			return e
		}
	}
	return nil
}

func nameOf(element any) (string, bool) {
	o, _ := element.(object)
	name, ok := o["name"].(string)
	return name, ok
}
