package eksctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/boolplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/listplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/provider/connection"
)

// Keys of what is kept beside the state.
const (
	// importedKey is true from an import to the update after it. What eksctl was told when it
	// made the thing cannot be asked for: until then the state does not know it, and what is
	// declared is taken for it. Without this mark an import would end in a replacement.
	importedKey = "imported"
	// managedKey is true once EKS was seen to manage a node group.
	managedKey = "managed"
)

// importing is how long looking at what is imported may take.
const importing = 5 * time.Minute

var regionName = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)

// private is what the framework gives of what is kept beside the state.
type private interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

func kept(ctx context.Context, p private, key string) bool {
	v, _ := p.GetKey(ctx, key)
	return string(v) == "true"
}

const replaceText = "A change makes another one, except right after an import."

func replaceString() planmodifier.String {
	return stringplanmodifier.RequiresReplaceIf(func(ctx context.Context, req planmodifier.StringRequest, resp *stringplanmodifier.RequiresReplaceIfFuncResponse) {
		resp.RequiresReplace = !kept(ctx, req.Private, importedKey)
	}, replaceText, replaceText)
}

func replaceInt64() planmodifier.Int64 {
	return int64planmodifier.RequiresReplaceIf(func(ctx context.Context, req planmodifier.Int64Request, resp *int64planmodifier.RequiresReplaceIfFuncResponse) {
		resp.RequiresReplace = !kept(ctx, req.Private, importedKey)
	}, replaceText, replaceText)
}

func replaceBool() planmodifier.Bool {
	return boolplanmodifier.RequiresReplaceIf(func(ctx context.Context, req planmodifier.BoolRequest, resp *boolplanmodifier.RequiresReplaceIfFuncResponse) {
		resp.RequiresReplace = !kept(ctx, req.Private, importedKey)
	}, replaceText, replaceText)
}

func replaceList() planmodifier.List {
	return listplanmodifier.RequiresReplaceIf(func(ctx context.Context, req planmodifier.ListRequest, resp *listplanmodifier.RequiresReplaceIfFuncResponse) {
		resp.RequiresReplace = !kept(ctx, req.Private, importedKey)
	}, replaceText, replaceText)
}

func replaceMap() planmodifier.Map {
	return mapplanmodifier.RequiresReplaceIf(func(ctx context.Context, req planmodifier.MapRequest, resp *mapplanmodifier.RequiresReplaceIfFuncResponse) {
		resp.RequiresReplace = !kept(ctx, req.Private, importedKey)
	}, replaceText, replaceText)
}

// planImported has the first plan after an import show an update, which takes what is
// declared into the state: from then on a change of it makes another one.
func planImported(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.State.Raw.IsNull() || resp.Plan.Raw.IsNull() || !kept(ctx, req.Private, importedKey) {
		return
	}
	resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("output"), types.StringUnknown())...)
	resp.Diagnostics.AddWarning("What was imported is taken as declared",
		"What eksctl was told when it made this cannot be seen. The update writes what is declared here into the state, and changes nothing else; after it a change makes another one.")
}

// takeDeclared is an update that calls nobody.
func takeDeclared(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	resp.State.Raw = req.Plan.Raw
	var out types.String
	resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, path.Root("output"), &out)...)
	if out.IsUnknown() {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("output"), "")...)
	}
	if kept(ctx, req.Private, importedKey) {
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, importedKey, []byte("false"))...)
	}
}

// idPart of an import's ID.
type idPart struct {
	attribute string
	is        *regexp.Regexp
	want      string
}

// splitID reads an ID of these parts, with a / between, and perhaps a region before them.
func (b *base) splitID(id, example string, parts []idPart, diags *diag.Diagnostics) map[string]string {
	var names []string
	for _, p := range parts {
		names = append(names, strings.ToUpper(p.attribute))
	}
	shape := strings.Join(names, "/")
	got := strings.Split(id, "/")
	region := b.region()
	if len(got) == len(parts)+1 {
		region, got = got[0], got[1:]
		if !regionName.MatchString(region) {
			diags.AddError("No region", fmt.Sprintf("%q: %q is no AWS region; want %s or REGION/%s, such as %s.", id, region, shape, shape, example))
			return nil
		}
	}
	if len(got) != len(parts) {
		diags.AddError("The ID cannot be read", fmt.Sprintf("%q does not have the parts of %s or REGION/%s, such as %s.", id, shape, shape, example))
		return nil
	}
	if region == "" {
		diags.AddError("No region", fmt.Sprintf("%q says no region, and neither does the provider nor AWS_DEFAULT_REGION; import REGION/%s, such as %s.", id, shape, example))
		return nil
	}
	out := map[string]string{"region": region}
	for i, p := range parts {
		if !p.is.MatchString(got[i]) {
			diags.AddError("The ID cannot be read", fmt.Sprintf("%q: %q is no %s, which has %s; want %s or REGION/%s, such as %s.", id, got[i], p.attribute, p.want, shape, shape, example))
			return nil
		}
		out[p.attribute] = got[i]
	}
	return out
}

// there tells whether the cluster of an import is there.
func (s *session) there(ctx context.Context, cluster, region string, diags *diag.Diagnostics) bool {
	_, err := s.config.Clusters.Describe(ctx, s.conn, cluster)
	switch {
	case err == nil:
		return true
	case errors.Is(err, fault.ErrNotFound):
		diags.AddError("No such cluster", fmt.Sprintf("There is no cluster %q in %s. Is it in another region (REGION/… in the ID), or another account?", cluster, region))
	default:
		diags.AddError("The cluster cannot be looked for", why(err, "create"))
	}
	return false
}

// ImportState implements resource.ResourceWithImportState: [REGION/]CLUSTER/NAME.
func (r *nodegroupResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	if r.unasked(&resp.Diagnostics) {
		return
	}
	id := r.splitID(req.ID, "us-east-1/blue/web", []idPart{{"cluster", clusterName, nameText}, {"name", clusterName, nameText}}, &resp.Diagnostics)
	if id == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, importing)
	defer cancel()
	s := r.session(connection.Connection{Region: id["region"]}, program{bin: "eksctl"})
	if !s.there(ctx, id["cluster"], id["region"], &resp.Diagnostics) {
		return
	}
	switch _, err := s.config.Clusters.NodeGroup(ctx, s.conn, id["cluster"], id["name"]); {
	case err == nil:
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, managedKey, []byte("true"))...)
	case errors.Is(err, fault.ErrNotFound): // eksctl may have one of its own
		known, err := s.ownGroup(ctx, id["cluster"], id["name"], id["region"])
		if err != nil {
			resp.Diagnostics.AddError("The node group cannot be looked for", why(err, "create"))
			return
		}
		if !known {
			resp.Diagnostics.AddError("No such node group", fmt.Sprintf("Neither EKS nor eksctl knows a node group %q of the cluster %q in %s.", id["name"], id["cluster"], id["region"]))
			return
		}
	default:
		resp.Diagnostics.AddError("The node group cannot be looked for", why(err, "create"))
		return
	}
	id["id"], id["output"] = id["cluster"]+"/"+id["name"], ""
	takeImported(ctx, id, resp)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("drain"), true)...)
}

// ImportState implements resource.ResourceWithImportState: [REGION/]CLUSTER/NAMESPACE/NAME.
func (r *serviceAccountResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	const letters = "lower-case letters, digits, - and ."
	if r.unasked(&resp.Diagnostics) {
		return
	}
	id := r.splitID(req.ID, "us-east-1/blue/kube-system/dns", []idPart{{"cluster", clusterName, nameText}, {"namespace", objectName, letters}, {"name", objectName, letters}}, &resp.Diagnostics)
	if id == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, importing)
	defer cancel()
	s := r.session(connection.Connection{Region: id["region"]}, program{bin: "eksctl"})
	if !s.there(ctx, id["cluster"], id["region"], &resp.Diagnostics) {
		return
	}
	sub := subject{name: id["name"], region: id["region"], cluster: id["cluster"], session: s}
	known, err := sub.account(ctx, id["namespace"])
	if err != nil {
		resp.Diagnostics.AddError("The service account cannot be looked for", why(err, "create"))
		return
	}
	if !known {
		resp.Diagnostics.AddError("No such service account", fmt.Sprintf("eksctl made no service account %s/%s in the cluster %q in %s.", id["namespace"], id["name"], id["cluster"], id["region"]))
		return
	}
	id["id"], id["output"] = id["cluster"]+"/"+id["namespace"]+"/"+id["name"], ""
	takeImported(ctx, id, resp)
}

func takeImported(ctx context.Context, values map[string]string, resp *resource.ImportStateResponse) {
	for at, v := range values {
		setString(ctx, &resp.State, at, v, &resp.Diagnostics)
	}
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, importedKey, []byte("true"))...)
}

// noneFound is how eksctl says that a list is empty, where it prints none.
var noneFound = regexp.MustCompile(`(?i)\bno (nodegroups?|iamserviceaccounts?|iamidentitymappings?|iam identity mappings?) found\b`)

// listed reads the JSON list in what eksctl printed, perhaps among the lines of its log.
// What has no list is not taken for an empty one.
func listed(out string, into any) error {
	for at := 0; at < len(out); {
		line := out[at:]
		if i := strings.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		// A line of the log may begin with [ℹ] or [!].
		switch l := strings.TrimSpace(line); {
		case l == "[" || strings.HasPrefix(l, "[{") || strings.HasPrefix(l, "[]"):
			return readList(json.NewDecoder(strings.NewReader(out[at:])).Decode(into))
		case l == "{": // releases that print service accounts as the ClusterConfig that they are part of
			var config struct {
				IAM struct{ ServiceAccounts json.RawMessage }
			}
			err := json.NewDecoder(strings.NewReader(out[at:])).Decode(&config)
			if list := config.IAM.ServiceAccounts; err == nil && len(list) > 0 {
				err = json.Unmarshal(list, into)
			}
			return readList(err)
		case l == "null" || noneFound.MatchString(l):
			return nil
		}
		at += len(line) + 1
	}
	return errors.New("eksctl printed no list; run it with TF_LOG=info to see what it printed")
}

func readList(err error) error {
	if err != nil {
		return fmt.Errorf("reading what eksctl listed: %w", err)
	}
	return nil
}

// ownGroup tells whether eksctl knows a node group, of those that EKS does not manage, too.
func (s *session) ownGroup(ctx context.Context, cluster, name, region string) (bool, error) {
	type group struct{ Name string }
	var groups []group
	if err := s.get(ctx, &groups, "nodegroup", "--cluster="+cluster, "--region="+region); err != nil {
		return false, err
	}
	return slices.Contains(groups, group{name}), nil
}

// account tells whether eksctl made the service account.
func (sub subject) account(ctx context.Context, namespace string) (bool, error) {
	type account struct {
		Metadata struct{ Name, Namespace string }
	}
	var found []account
	if err := sub.session.get(ctx, &found, append([]string{"iamserviceaccount"}, sub.flags(namespace)...)...); err != nil {
		return false, err
	}
	return slices.ContainsFunc(found, func(a account) bool { return a.Metadata.Name == sub.name && a.Metadata.Namespace == namespace }), nil
}
