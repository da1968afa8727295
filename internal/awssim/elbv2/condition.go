package elbv2

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxConditionText bounds a condition's values and regular expressions, in characters;
// header names and methods are shorter.
const (
	maxConditionText = 128
	maxConditionName = 40
)

// conditionField describes one kind of condition.
type conditionField struct {
	name     string
	config   string // the member that holds its parameters
	once     bool   // at most one condition of this kind in a rule
	topLevel bool   // Values and RegexValues may stand beside Field
	regexes  bool
	check    func(value string) error
}

func conditionFields() []conditionField {
	return []conditionField{
		{"path-pattern", "PathPatternConfig", true, true, true, checkPathPattern},
		{"host-header", "HostHeaderConfig", true, true, true, checkHost},
		{"http-header", "HttpHeaderConfig", false, false, true, checkHeaderValue},
		{"http-request-method", "HttpRequestMethodConfig", true, false, false, checkMethod},
		{"query-string", "QueryStringConfig", false, false, false, nil},
		{"source-ip", "SourceIpConfig", true, false, false, checkCIDR},
	}
}

func fieldNamed(name string) (conditionField, error) {
	var names []string
	for _, f := range conditionFields() {
		if f.name == name {
			return f, nil
		}
		names = append(names, f.name)
	}
	if name == "" {
		return conditionField{}, invalid("A condition field must be specified")
	}
	return conditionField{}, invalid("Condition field '%s' must be one of '[%s]'", name, strings.Join(names, ", "))
}

// parseConditionsOf reads the conditions of a listener's rule.
func (c *call) parseConditionsOf(l *listener) ([]model.Condition, error) {
	if l.lb.kind == network {
		return c.parseNetworkConditions(l)
	}
	return c.parseConditions()
}

// parseNetworkConditions reads the only condition that a rule of a network load balancer
// may have: whether the client's address is IPv4 or IPv6. The codes are guesses.
func (c *call) parseNetworkConditions(l *listener) ([]model.Condition, error) {
	list := c.p.List("Conditions")
	if len(list) != 1 {
		return nil, invalid("A rule of a Network Load Balancer must have exactly one condition, not %d", len(list))
	}
	p := list[0]
	if f := p.Str("Field"); f != "source-ip" {
		return nil, invalid("Condition field '%s' must be one of '[source-ip]' for a Network Load Balancer", f)
	}
	config := p.Struct("SourceIpConfig")
	if len(p.Strings("Values")) > 0 || len(config.Strings("Values")) > 0 {
		return nil, invalid("Values are not supported for a 'source-ip' condition of a Network Load Balancer; provide SourceIpConfig.IpAddressType")
	}
	family, err := requiredIn(config, "IpAddressType", at("conditions", 0)+".sourceIpConfig")
	if err != nil {
		return nil, err
	}
	if err := constraint.OneOf(family, at("conditions", 0)+".sourceIpConfig.ipAddressType", "ipv4", "ipv6"); err != nil {
		return nil, err
	}
	if l.lb.ipType != "dualstack" {
		return nil, wire.Errorf("InvalidConfigurationRequest", "Rules of a Network Load Balancer require the IP address type dualstack; '%s' is %s", l.lb.arn, l.lb.ipType)
	}
	return []model.Condition{{Field: "source-ip", IPAddressType: family}}, nil
}

// parseConditions reads the member Conditions, which must not be empty.
func (c *call) parseConditions() ([]model.Condition, error) {
	list := c.p.List("Conditions")
	if len(list) == 0 {
		return nil, invalid("A condition must be specified")
	}
	var out []model.Condition
	seen := map[string]bool{}
	values, wildcards := 0, 0
	for _, p := range list {
		f, err := fieldNamed(p.Str("Field"))
		if err != nil {
			return nil, err
		}
		if f.once && seen[f.name] {
			return nil, invalid("A rule can only have one '%s' condition", f.name)
		}
		seen[f.name] = true
		cond, err := parseCondition(p, f)
		if err != nil {
			return nil, err
		}
		values += len(cond.Values) + len(cond.Regexes) + len(cond.Query)
		wildcards += countWildcards(cond)
		out = append(out, cond)
	}
	if limit := c.s.cfg.Quotas.ConditionValuesPerRule; values > limit {
		return nil, invalid("A rule can only have '%d' condition values, not %d", limit, values)
	}
	if limit := c.s.cfg.Quotas.ConditionWildcardsPerRule; wildcards > limit {
		return nil, invalid("A rule can only have '%d' condition wildcards, not %d", limit, wildcards)
	}
	return out, nil
}

func parseCondition(p wire.Params, f conditionField) (model.Condition, error) {
	cond := model.Condition{Field: f.name}
	for _, other := range conditionFields() {
		if other.name != f.name && p.Struct(other.config) != nil {
			return cond, invalid("You cannot provide '%s' for a condition of type '%s'", other.config, f.name)
		}
	}
	config := p.Struct(f.config)
	topValues, topRegexes := texts(p, "Values"), texts(p, "RegexValues")
	top := len(topValues)+len(topRegexes) > 0
	switch {
	case top && config != nil:
		return cond, invalid("You cannot provide both Values and '%s' for a condition of type '%s'", f.config, f.name)
	case top && !f.topLevel:
		return cond, invalid("You must provide '%s', not Values, for a condition of type '%s'", f.config, f.name)
	case top:
		cond.Values, cond.Regexes = topValues, topRegexes
	case f.name == "query-string":
		return cond, parseQuery(&cond, config)
	default:
		cond.Values, cond.Regexes = texts(config, "Values"), texts(config, "RegexValues")
	}
	if f.name == "http-header" {
		cond.HeaderName = config.Str("HttpHeaderName")
		if err := checkHeaderName(cond.HeaderName); err != nil {
			return cond, err
		}
	}
	if f.name == "source-ip" && config.Str("IpAddressType") != "" {
		return cond, invalid("IpAddressType is not supported for a 'source-ip' condition of an Application Load Balancer; provide Values")
	}
	return cond, checkValues(cond, f)
}

// texts is a list of strings, nil when there are none.
func texts(p wire.Params, name string) []string {
	if list := p.Strings(name); len(list) > 0 {
		return list
	}
	return nil
}

func checkValues(cond model.Condition, f conditionField) error {
	if len(cond.Values)+len(cond.Regexes) == 0 {
		return invalid("A condition value must be specified")
	}
	if len(cond.Regexes) > 0 && !f.regexes {
		return invalid("RegexValues are not supported for a condition of type '%s'", f.name)
	}
	for _, v := range cond.Values {
		if err := checkText(f.name, v); err != nil {
			return err
		}
		if err := f.check(v); err != nil {
			return err
		}
	}
	for _, v := range cond.Regexes {
		if err := checkText(f.name, v); err != nil {
			return err
		}
		// AWS's dialect is close to RE2: neither lookaround nor back references.
		if _, err := regexp.Compile(v); err != nil {
			return invalid("The '%s' regular expression '%s' is not valid", f.name, v)
		}
	}
	return nil
}

func checkText(field, v string) error {
	if v == "" {
		return invalid("A condition value must be specified")
	}
	if utf8.RuneCountInString(v) > maxConditionText {
		return invalid("The '%s' value is too long; the limit is '%d'", field, maxConditionText)
	}
	return nil
}

func parseQuery(cond *model.Condition, config wire.Params) error {
	for _, p := range config.List("Values") {
		pair := model.QueryPair{Key: p.Str("Key"), Value: p.Str("Value")}
		if err := checkText(cond.Field, pair.Value); err != nil {
			return err
		}
		if utf8.RuneCountInString(pair.Key) > maxConditionText {
			return checkText(cond.Field, pair.Key)
		}
		cond.Query = append(cond.Query, pair)
	}
	if len(cond.Query) == 0 {
		return invalid("A condition value must be specified")
	}
	return nil
}

func checkPathPattern(v string) error {
	allowed := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune(`_-.$/~"'@:+&*?()!,;=%#[]`, r)
	}
	return checkRunes("path-pattern", v, allowed)
}

func checkHost(v string) error {
	allowed := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-.*?_", r)
	}
	if err := checkRunes("host-header", v, allowed); err != nil {
		return err
	}
	i := strings.LastIndexByte(v, '.')
	if i < 0 {
		return invalid("The 'host-header' value '%s' must contain at least one '.' character", v)
	}
	letters := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '*' || r == '?'
	}
	for _, r := range v[i+1:] {
		if !letters(r) {
			return invalid("The 'host-header' value '%s' can only have alphabetical characters after the last '.'", v)
		}
	}
	return nil
}

func checkRunes(field, v string, allowed func(rune) bool) error {
	for _, r := range v {
		if !allowed(r) {
			return invalid("The '%s' value '%s' contains a character that is not valid: '%c'", field, v, r)
		}
	}
	return nil
}

func checkHeaderName(name string) error {
	switch {
	case name == "":
		return invalid("An HTTP header name must be specified for a condition of type 'http-header'")
	case len(name) > maxConditionName:
		return invalid("The HTTP header name '%s' is too long; the limit is '%d'", name, maxConditionName)
	case !regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$").MatchString(name) || strings.ContainsAny(name, "*?"):
		return invalid("The HTTP header name '%s' contains a character that is not valid", name)
	case strings.EqualFold(name, "host"):
		return invalid("The HTTP header name 'Host' is not valid; use a condition of type 'host-header'")
	}
	return nil
}

func checkHeaderValue(v string) error {
	return checkRunes("http-header", v, func(r rune) bool { return r >= 0x20 && r < 0x7f })
}

func checkMethod(v string) error {
	if len(v) > maxConditionName {
		return invalid("The 'http-request-method' value is too long; the limit is '%d'", maxConditionName)
	}
	return checkRunes("http-request-method", v, func(r rune) bool { return r >= 'A' && r <= 'Z' || r == '-' || r == '_' })
}

func checkCIDR(v string) error {
	if _, err := netip.ParsePrefix(v); err != nil {
		return invalid("The 'source-ip' value '%s' is not a valid CIDR block", v)
	}
	return nil
}

// countWildcards counts the * and ? of a condition that stand for other characters.
func countWildcards(cond model.Condition) int {
	patterns := slices.Clone(cond.Values)
	if cond.Field == "http-request-method" || cond.Field == "source-ip" {
		return 0
	}
	for _, q := range cond.Query {
		patterns = append(patterns, q.Key, q.Value)
	}
	n := 0
	for _, t := range patterns {
		t = strings.NewReplacer(`\*`, "", `\?`, "").Replace(t)
		n += strings.Count(t, "*") + strings.Count(t, "?")
	}
	return n
}

func describeCondition(cond model.Condition) wire.Struct {
	out := wire.Struct{kv("Field", cond.Field)}
	if cond.Field == "query-string" {
		pairs := wire.ListOf(cond.Query, func(q model.QueryPair) wire.Struct {
			return wire.Struct{kv("Key", wire.Opt(q.Key)), kv("Value", q.Value)}
		})
		return append(out, kv("QueryStringConfig", wire.Struct{kv("Values", pairs)}))
	}
	f, err := fieldNamed(cond.Field)
	if err != nil {
		return out
	}
	var values wire.Struct
	if len(cond.Values) > 0 {
		values = append(values, kv("Values", wire.Texts(cond.Values)))
	}
	if len(cond.Regexes) > 0 {
		values = append(values, kv("RegexValues", wire.Texts(cond.Regexes)))
	}
	config := values
	if cond.IPAddressType != "" {
		config = wire.Struct{kv("IpAddressType", cond.IPAddressType)}
	}
	if cond.HeaderName != "" {
		config = append(wire.Struct{kv("HttpHeaderName", cond.HeaderName)}, values...)
	}
	if f.topLevel {
		out = append(out, values...)
	}
	return append(out, kv(f.config, config))
}
