package iam_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/iam"
	"github.com/norikae/norikae/internal/awssim/wire"
)

func serve(t *testing.T, s *iam.Service, operation string, p wire.Params) (wire.Struct, error) {
	t.Helper()
	return s.Serve(t.Context(), &wire.Request{Service: "iam", Operation: operation, Params: p, Region: "us-east-1", AccountID: account})
}

// furnished is a service with the role r, the user u with two keys and the policy p.
func furnished(t *testing.T) *iam.Service {
	t.Helper()
	s := iam.New(iam.Config{Now: noon, Seed: 3})
	for _, c := range []struct {
		operation string
		p         wire.Params
	}{
		{"CreateRole", wire.Params{"RoleName": "r", "AssumeRolePolicyDocument": trustAll}},
		{"CreateUser", wire.Params{"UserName": "u"}},
		{"CreateAccessKey", wire.Params{"UserName": "u"}},
		{"CreateAccessKey", wire.Params{"UserName": "u"}},
		{"CreatePolicy", wire.Params{"PolicyName": "p", "PolicyDocument": everything}},
		{"CreateInstanceProfile", wire.Params{"InstanceProfileName": "i"}},
		{"AddRoleToInstanceProfile", wire.Params{"InstanceProfileName": "i", "RoleName": "r"}},
		{"CreateOpenIDConnectProvider", wire.Params{"Url": "https://oidc.example.com"}},
	} {
		if _, err := serve(t, s, c.operation, c.p); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestRefusals(t *testing.T) {
	const policy = "arn:aws:iam::000000000000:policy/"
	role := func(more wire.Params) wire.Params {
		p := wire.Params{"RoleName": "x", "AssumeRolePolicyDocument": trustAll}
		maps.Copy(p, more)
		return p
	}
	tags := func(keys ...string) []any {
		var out []any
		for _, k := range keys {
			out = append(out, wire.Params{"Key": k, "Value": "v"})
		}
		return out
	}
	long := strings.Repeat("x", 65)
	for name, tc := range map[string]struct {
		operation     string
		p             wire.Params
		code, message string
	}{
		"no role name":                          {"GetRole", nil, "ValidationError", "'roleName'"},
		"a role name with a space":              {"GetRole", wire.Params{"RoleName": "a b"}, "ValidationError", `[\w+=,.@-]+`},
		"a role name of 65":                     {"GetRole", wire.Params{"RoleName": long}, "ValidationError", "less than or equal to 64"},
		"a role that is not there":              {"GetRole", wire.Params{"RoleName": "x"}, "NoSuchEntity", "The role with name x cannot be found."},
		"a role's name in another case":         {"CreateRole", role(wire.Params{"RoleName": "R"}), "EntityAlreadyExists", "Role with name R already exists."},
		"a path without its slash":              {"CreateRole", role(wire.Params{"Path": "/a"}), "ValidationError", "'path'"},
		"no trust policy":                       {"CreateRole", wire.Params{"RoleName": "x"}, "ValidationError", "'assumeRolePolicyDocument'"},
		"a trust policy that is not JSON":       {"CreateRole", role(wire.Params{"AssumeRolePolicyDocument": "{"}), "MalformedPolicyDocument", "Syntax errors"},
		"an identity policy as trust":           {"CreateRole", role(wire.Params{"AssumeRolePolicyDocument": everything}), "MalformedPolicyDocument", "STS AssumeRole actions"},
		"a trust policy that is too large":      {"CreateRole", role(wire.Params{"AssumeRolePolicyDocument": strings.Replace(trustAll, "{", `{"Id":"`+strings.Repeat("x", 2000)+`",`, 1)}), "LimitExceeded", "ACLSizePerRole: 2048"},
		"sessions of 3599 s":                    {"CreateRole", role(wire.Params{"MaxSessionDuration": "3599"}), "ValidationError", "3600 to 43200"},
		"sessions of 43201 s":                   {"UpdateRole", wire.Params{"RoleName": "r", "MaxSessionDuration": "43201"}, "ValidationError", "3600 to 43200"},
		"a description of 1001":                 {"CreateRole", role(wire.Params{"Description": strings.Repeat("x", 1001)}), "ValidationError", "1000"},
		"a boundary that is not there":          {"CreateRole", role(wire.Params{"PermissionsBoundary": policy + "x"}), "NoSuchEntity", "does not exist"},
		"a tag without a key":                   {"CreateRole", role(wire.Params{"Tags": tags("")}), "ValidationError", "1 to 128"},
		"a tag of AWS's":                        {"CreateRole", role(wire.Params{"Tags": tags("aws:x")}), "InvalidInput", "aws: prefixed"},
		"the same tag in two cases":             {"CreateRole", role(wire.Params{"Tags": tags("a", "A")}), "InvalidInput", "Duplicate tag keys"},
		"51 tags":                               {"TagRole", wire.Params{"RoleName": "r", "Tags": tags(numbers(51)...)}, "LimitExceeded", "50"},
		"a role in an instance profile":         {"DeleteRole", wire.Params{"RoleName": "r"}, "DeleteConflict", "instance profile"},
		"an inline policy that is not there":    {"GetRolePolicy", wire.Params{"RoleName": "r", "PolicyName": "x"}, "NoSuchEntity", "The role policy with name x cannot be found."},
		"an inline policy without its name":     {"PutRolePolicy", wire.Params{"RoleName": "r", "PolicyDocument": everything}, "ValidationError", "'policyName'"},
		"a malformed inline policy":             {"PutRolePolicy", wire.Params{"RoleName": "r", "PolicyName": "x", "PolicyDocument": trustAll}, "MalformedPolicyDocument", "should not specify a principal"},
		"attaching what is not there":           {"AttachRolePolicy", wire.Params{"RoleName": "r", "PolicyArn": policy + "x"}, "NoSuchEntity", "not attachable"},
		"attaching what is no policy":           {"AttachRolePolicy", wire.Params{"RoleName": "r", "PolicyArn": "arn:aws:iam::000000000000:role/r"}, "InvalidInput", "is not valid"},
		"detaching what is not attached":        {"DetachRolePolicy", wire.Params{"RoleName": "r", "PolicyArn": policy + "p"}, "NoSuchEntity", "was not found"},
		"a boundary that was never set":         {"DeleteRolePermissionsBoundary", wire.Params{"RoleName": "r"}, "NoSuchEntity", "no permissions boundary"},
		"a user that is not there":              {"GetUser", wire.Params{"UserName": "x"}, "NoSuchEntity", "The user with name x cannot be found."},
		"no user's name, no user's key":         {"GetUser", nil, "ValidationError", "Must specify userName"},
		"a user that is there":                  {"CreateUser", wire.Params{"UserName": "U"}, "EntityAlreadyExists", "U already exists"},
		"a third key":                           {"CreateAccessKey", wire.Params{"UserName": "u"}, "LimitExceeded", "AccessKeysPerUser: 2"},
		"a key of somebody else":                {"DeleteAccessKey", wire.Params{"UserName": "u", "AccessKeyId": "AKIAX"}, "NoSuchEntity", "AKIAX"},
		"a policy that is there":                {"CreatePolicy", wire.Params{"PolicyName": "P", "PolicyDocument": everything}, "EntityAlreadyExists", "A policy called P already exists"},
		"a policy that is too large":            {"CreatePolicy", wire.Params{"PolicyName": "x", "PolicyDocument": strings.Replace(everything, "{", `{"Id":"`+strings.Repeat("x", 6100)+`",`, 1)}, "LimitExceeded", "PolicySize: 6144"},
		"a version that is not there":           {"GetPolicyVersion", wire.Params{"PolicyArn": policy + "p", "VersionId": "v2"}, "NoSuchEntity", "v2"},
		"a version that is none":                {"GetPolicyVersion", wire.Params{"PolicyArn": policy + "p", "VersionId": "2"}, "ValidationError", "'versionId'"},
		"AWS's own policy changed":              {"CreatePolicyVersion", wire.Params{"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess", "PolicyDocument": everything}, "AccessDenied", "cannot be changed"},
		"a second role in a profile":            {"AddRoleToInstanceProfile", wire.Params{"InstanceProfileName": "i", "RoleName": "r"}, "LimitExceeded", "InstanceSessionsPerInstanceProfile"},
		"a profile with a role":                 {"DeleteInstanceProfile", wire.Params{"InstanceProfileName": "i"}, "DeleteConflict", "remove roles"},
		"a profile that is not there":           {"GetInstanceProfile", wire.Params{"InstanceProfileName": "x"}, "NoSuchEntity", "Instance Profile x cannot be found."},
		"a provider on plain HTTP":              {"CreateOpenIDConnectProvider", wire.Params{"Url": "http://oidc.example.com"}, "ValidationError", "https://"},
		"a provider that is there":              {"CreateOpenIDConnectProvider", wire.Params{"Url": "https://oidc.example.com/"}, "EntityAlreadyExists", "already exists"},
		"a thumbprint of 39 digits":             {"CreateOpenIDConnectProvider", wire.Params{"Url": "https://x.example.com", "ThumbprintList": []any{strings.Repeat("a", 39)}}, "ValidationError", "40 hexadecimal digits"},
		"a provider that is not there":          {"GetOpenIDConnectProvider", wire.Params{"OpenIDConnectProviderArn": "arn:aws:iam::000000000000:oidc-provider/x"}, "NoSuchEntity", "not found"},
		"simulating somebody who is not there":  {"SimulatePrincipalPolicy", wire.Params{"PolicySourceArn": "arn:aws:iam::000000000000:user/x", "ActionNames": []any{"a:b"}}, "NoSuchEntity", "user/x"},
		"simulating an action without service":  {"SimulatePrincipalPolicy", wire.Params{"PolicySourceArn": "arn:aws:iam::000000000000:user/u", "ActionNames": []any{"b"}}, "InvalidInput", "Invalid Action Name: b"},
		"simulating with a malformed policy":    {"SimulatePrincipalPolicy", wire.Params{"PolicySourceArn": "arn:aws:iam::000000000000:user/u", "ActionNames": []any{"a:b"}, "PolicyInputList": []any{"{"}}, "InvalidInput", "PolicyInputList.1"},
		"an operation that is not simulated":    {"CreateServiceLinkedRole", nil, "NotSimulated", "CreateServiceLinkedRole"},
		"a key's status that is none":           {"UpdateAccessKey", wire.Params{"UserName": "u", "AccessKeyId": "?", "Status": "Off"}, "NoSuchEntity", "?"},
		"another account's role in one's calls": {"GetRole", wire.Params{"RoleName": "arn:aws:iam::1:role/r"}, "ValidationError", "'roleName'"},
	} {
		t.Run(name, func(t *testing.T) {
			s := furnished(t)
			before := s.Resources(account)
			_, err := serve(t, s, tc.operation, tc.p)
			e, _ := errors.AsType[*wire.Error](err)
			if e == nil || e.Code != tc.code || !strings.Contains(e.Message, tc.message) {
				t.Errorf("%v, want %s with %q", err, tc.code, tc.message)
			}
			if d := cmp.Diff(before, s.Resources(account)); d != "" {
				t.Errorf("the refused call changed something:\n%s", d)
			}
		})
	}
}

func numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint("k", i)
	}
	return out
}

// Identifiers depend on the seed and on the calls that succeeded: a lab that is built
// again from those has the same ones.
func TestRefusedCallsLeaveNoTraceInIdentifiers(t *testing.T) {
	build := func(seed uint64, failures bool) wire.Struct {
		s := iam.New(iam.Config{Seed: seed, Now: noon})
		for _, name := range []string{"a", "b"} {
			if failures {
				for _, bad := range []wire.Params{{"RoleName": "x"}, {"RoleName": "a b", "AssumeRolePolicyDocument": trustAll}} {
					if _, err := serve(t, s, "CreateRole", bad); err == nil {
						t.Fatal("taken")
					}
				}
			}
			if _, err := serve(t, s, "CreateRole", wire.Params{"RoleName": name, "AssumeRolePolicyDocument": trustAll}); err != nil {
				t.Fatal(err)
			}
			if failures {
				if _, err := serve(t, s, "CreateRole", wire.Params{"RoleName": name, "AssumeRolePolicyDocument": trustAll}); err == nil {
					t.Fatal("taken")
				}
			}
		}
		out, err := serve(t, s, "ListRoles", nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if d := cmp.Diff(build(1, false), build(1, true)); d != "" {
		t.Error(d)
	}
	if cmp.Equal(build(1, false), build(2, false)) {
		t.Error("another seed makes the same identifiers")
	}
}

func TestOperationsTellWhatIsAnswered(t *testing.T) {
	s := iam.New(iam.Config{})
	for _, op := range iam.Operations() {
		_, err := serve(t, s, op.Name, nil)
		e, _ := errors.AsType[*wire.Error](err)
		if absent := e != nil && e.Code == "NotSimulated"; absent != (op.Fidelity == wire.Absent) {
			t.Errorf("%s is said to be %s: %v", op.Name, op.Fidelity, err)
		}
	}
}
