package health

import "testing"

func TestMatchersOfHealthChecks(t *testing.T) {
	for name, tc := range map[string]struct {
		matcher string
		status  int
		want    bool
	}{
		"the default is 200":         {"", 200, true},
		"the default is only 200":    {"", 204, false},
		"one code":                   {"204", 204, true},
		"a list":                     {"200,302", 302, true},
		"a list without it":          {"200,302", 301, false},
		"a range's first":            {"200-299", 200, true},
		"a range's last":             {"200-299", 299, true},
		"beyond a range":             {"200-299", 300, false},
		"a list with a range":        {"200, 301-399", 302, true},
		"nonsense matches no status": {"ok", 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := matchesCode(tc.matcher, tc.status); got != tc.want {
				t.Errorf("matchesCode(%q, %d) = %t, want %t", tc.matcher, tc.status, got, tc.want)
			}
		})
	}
}
