package cli

import (
	"errors"
	"fmt"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// deletes the Secret of a cluster that is gone.
func deletes(f *fakeFleet) {
	f.pass = func(PassOptions) (Pass, error) {
		p := settledPass()
		o := testPass().Outcomes[4]
		o.Do, o.Written, o.Effect, o.Message = registry.Delete, true, "no ApplicationSet selects it, so that no Application goes", "its Secret is deleted when that is so at noon still"
		p.Outcomes = append(p.Outcomes, o)
		return p, nil
	}
}

// noneThere is a fleet of which the selector selects nothing.
func noneThere(f *fakeFleet) {
	f.pass = func(PassOptions) (Pass, error) {
		p := settledPass()
		p.Outcomes, p.Entries = nil, nil
		return p, nil
	}
}

// noNamespace is a fleet that is new, and an Argo CD that is elsewhere.
func noNamespace(f *fakeFleet) {
	f.pass = func(PassOptions) (Pass, error) {
		p := settledPass()
		p.Outcomes = nil
		for i := range 1000 {
			k := testCluster(eksID("222222222222", "eu-west-1", fmt.Sprintf("blue-%04d", i)))
			err := fmt.Errorf("creating the Secret argocd/%s: %w: namespaces \"argocd\" not found", registry.SecretName(k.ID), fault.ErrNotFound)
			p.Outcomes = append(p.Outcomes, registrar.Outcome{
				Action: registry.Action{Cluster: k.ID, State: registry.Unwritten, Reason: "WriteFailed", Do: registry.Create, Want: registration(k, "1.36"), Message: "create: " + err.Error()}, Err: err,
			})
		}
		return p, nil
	}
}

// noCredentials keep everybody from being asked; the errors differ only in whom.
func noCredentials(f *fakeFleet) {
	f.pass = func(PassOptions) (Pass, error) {
		p := settledPass()
		p.Scopes = nil
		for _, account := range []string{"111111111111", "222222222222"} {
			for i, region := range []string{"us-east-1", "eu-west-1"} {
				role := "arn:aws:iam::" + account + ":role/list"
				p.Scopes = append(p.Scopes, registry.ScopeResult{
					Scope: registry.Scope{Account: account, Region: region}, RoleARN: role,
					Err: fmt.Errorf("entering %s as %s: access denied, RequestID: 0000-%s%d, to %s", region, role, account, i, account),
				})
			}
		}
		p.Scopes = append(p.Scopes, registry.ScopeResult{Scope: registry.Scope{Account: "333333333333", Region: "us-east-1"}, Err: errors.New("throttled")})
		for i := range p.Outcomes {
			p.Outcomes[i].State, p.Outcomes[i].Reason, p.Outcomes[i].Message = registry.Uncertain, "Unknown", "AWS could not be asked about it: access denied"
		}
		return p, nil
	}
}

// heldOnly has nothing to write, and a cluster that needs somebody.
func heldOnly(f *fakeFleet) {
	f.pass = func(PassOptions) (Pass, error) {
		p := settledPass()
		p.Outcomes = append(p.Outcomes, testPass().Outcomes[2])
		return p, nil
	}
}
