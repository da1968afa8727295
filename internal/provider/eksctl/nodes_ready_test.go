package eksctl

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/eksctl"
	"github.com/norikae/norikae/internal/provider/connection"
)

// statuses of a node group, one a look; the last one stays.
type statuses struct {
	Clusters
	left []string
}

func (s *statuses) NodeGroup(_ context.Context, _ connection.Connection, _, name string) (NodeGroup, error) {
	now := s.left[0]
	if len(s.left) > 1 {
		s.left = s.left[1:]
	}
	return NodeGroup{Name: name, Status: now}, nil
}

func TestOldNodeGroupsGoOnlyWhenTheNewOnesTakePods(t *testing.T) {
	config := func(spec string) *eksctl.Config {
		c, err := eksctl.Generate(eksctl.Cluster{Name: "blue", Region: "us-east-1", Spec: spec})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	old, replaced := config("managedNodeGroups: [{name: one}]"), config("managedNodeGroups: [{name: two}]")
	for name, tc := range map[string]struct {
		before   *eksctl.Config
		statuses []string
		want     string        // of the error; "": none
		took     time.Duration // at least
	}{
		"it is ready":                    {old, []string{"ACTIVE"}, "", 0},
		"it is being made":               {old, []string{"CREATING", "CREATING", "UPDATING", "ACTIVE"}, "", 3 * betweenLooks},
		"it could not be made":           {old, []string{"CREATING", "CREATE_FAILED"}, "two is CREATE_FAILED", betweenLooks},
		"it is degraded":                 {old, []string{"DEGRADED"}, "two is DEGRADED", 0},
		"it takes too long":              {old, []string{"CREATING"}, "waiting for the node group two, which is CREATING: context deadline exceeded", time.Minute},
		"nothing goes":                   {replaced, []string{"CREATING"}, "", 0},
		"what was declared is not known": {nil, []string{"CREATING"}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				s := &session{config: Config{Clusters: &statuses{left: tc.statuses}}}
				err := s.takePods(ctx, "blue", tc.before, replaced)
				if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error %v, want %q", err, tc.want)
				}
				if took := time.Since(began); took < tc.took || tc.took == 0 && took > 0 {
					t.Errorf("it took %s, want %s", took, tc.took)
				}
			})
		})
	}
}
