package eks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// version of Kubernetes that EKS offers: 1.minor.
type version struct{ minor int }

func (v version) String() string { return "1." + strconv.Itoa(v.minor) }

// Minors that are offered without Config.Versions.
const firstMinor, lastMinor = 31, 36

// standardSupport is how many of the newest minors have it; the others have extended
// support.
const standardSupport = 4

// rollbackTime is how long after an update a control plane can go back to the minor
// before it.
const rollbackTime = 7 * 24 * time.Hour

func parseVersions(texts []string) ([]version, error) {
	if len(texts) == 0 {
		for m := firstMinor; m <= lastMinor; m++ {
			texts = append(texts, version{m}.String())
		}
	}
	var out []version
	for i, text := range texts {
		minor, ok := minorOf(text)
		if !ok {
			return nil, fmt.Errorf("versions[%d]: %q is not 1.MINOR", i, text)
		}
		if i > 0 && minor != out[i-1].minor+1 {
			return nil, fmt.Errorf("versions[%d]: %s does not follow %s; list every minor in ascending order", i, text, out[i-1])
		}
		out = append(out, version{minor})
	}
	return out, nil
}

func minorOf(text string) (int, bool) {
	minor, ok := strings.CutPrefix(text, "1.")
	n, err := strconv.Atoi(minor)
	return n, ok && err == nil && n > 0 && strconv.Itoa(n) == minor
}

func (s *Service) defaultVersion() version { return s.versions[len(s.versions)-1] }

// parseVersion is a version that is offered; the default one for "".
func (s *Service) parseVersion(text string) (version, error) {
	if text == "" {
		return s.defaultVersion(), nil
	}
	minor, ok := minorOf(text)
	if v := (version{minor}); ok && slices.Contains(s.versions, v) {
		return v, nil
	}
	return version{}, invalidParameter("unsupported Kubernetes version %q; the supported ones are %s to %s",
		text, s.versions[0], s.defaultVersion())
}

func (c *call) describeClusterVersions() (wire.Struct, error) {
	if _, err := oneOf(c.p, "clusterType", "eks", "eks"); err != nil {
		return nil, err
	}
	defaultOnly, err := boolOr(c.p, "defaultOnly", false)
	if err != nil {
		return nil, err
	}
	wanted := c.p.Strings("clusterVersions")
	status := strings.ToUpper(strings.ReplaceAll(c.p.Str("status"), "-", "_"))
	if s := c.p.Str("versionStatus"); s != "" {
		status = s
	}
	var found []version
	for _, v := range slices.Backward(c.s.versions) {
		switch {
		case defaultOnly && v != c.s.defaultVersion():
		case len(wanted) > 0 && !slices.Contains(wanted, v.String()):
		case status != "" && status != c.s.support(v):
		default:
			found = append(found, v)
		}
	}
	part, next, err := page(c, found, version.String)
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("clusterVersions", wire.ListOf(part, c.s.describeVersion)), next}, nil
}

func (s *Service) support(v version) string {
	if s.defaultVersion().minor-v.minor < standardSupport {
		return "STANDARD_SUPPORT"
	}
	return "EXTENDED_SUPPORT"
}

// describeVersion dates a minor by the rule: a new one every four months, 14 months of
// standard and then 12 of extended support.
func (s *Service) describeVersion(v version) wire.Struct {
	released := time.Date(2024, 9, 26, 0, 0, 0, 0, time.UTC).AddDate(0, 4*(v.minor-firstMinor), 0)
	support := s.support(v)
	return wire.Struct{
		kv("clusterVersion", v.String()),
		kv("clusterType", "eks"),
		kv("defaultPlatformVersion", platformVersion),
		kv("defaultVersion", v == s.defaultVersion()),
		kv("releaseDate", released),
		kv("endOfStandardSupportDate", released.AddDate(0, 14, 0)),
		kv("endOfExtendedSupportDate", released.AddDate(0, 26, 0)),
		kv("status", strings.ToLower(strings.ReplaceAll(support, "_", "-"))),
		kv("versionStatus", support),
		kv("kubernetesPatchVersion", v.String()+".0"),
	}
}

// platformVersion of every cluster.
const platformVersion = "eks.1"
