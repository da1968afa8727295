package ec2

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

type launchTemplate struct {
	head

	name      string
	versions  []templateVersion // oldest first
	inForce   int               // number of the default version
	numbered  int               // the highest number that was given
	createdBy string
}

type templateVersion struct {
	head

	number      int
	description string
	data        wire.Params
	template    *launchTemplate
}

func (t *launchTemplate) field(name string) ([]string, bool) {
	switch name {
	case "launch-template-name", "create-time":
	default:
		return nil, false
	}
	if t == nil {
		return nil, true
	}
	return []string{map[string]string{"launch-template-name": t.name, "create-time": t.created.Format(time.RFC3339)}[name]}, true
}

func (t *launchTemplate) describe() wire.Struct {
	return wire.Struct{
		kv("launchTemplateId", t.id), kv("launchTemplateName", t.name), kv("createTime", t.created), kv("createdBy", t.createdBy),
		kv("defaultVersionNumber", t.inForce), kv("latestVersionNumber", t.numbered), t.tagSet(),
	}
}

func (v *templateVersion) describe() wire.Struct {
	t := v.template
	return wire.Struct{
		kv("launchTemplateId", t.id), kv("launchTemplateName", t.name), kv("versionNumber", v.number), kv("versionDescription", wire.Opt(v.description)),
		kv("createTime", v.created), kv("createdBy", t.createdBy), kv("defaultVersion", v.number == t.inForce),
		kv("launchTemplateData", echo(v.data)),
	}
}

// echo answers the data of a launch template as they were given. Answers spell the
// members in lower camel case, and lists with "Set" behind; of security groups within a
// network interface it is groupSet.
func echo(p wire.Params) wire.Struct {
	out := wire.Struct{}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		switch v := p[name].(type) {
		case []any:
			items := make(wire.List, len(v))
			for i, e := range v {
				items[i] = e
				if sub, ok := e.(wire.Params); ok {
					items[i] = echo(sub)
				}
			}
			member := wire.Camel(name) + "Set"
			if name == "SecurityGroupId" && (p["DeviceIndex"] != nil || p["AssociatePublicIpAddress"] != nil || p["SubnetId"] != nil) {
				member = "groupSet"
			}
			out = append(out, kv(member, items))
		case wire.Params:
			out = append(out, kv(wire.Camel(name), echo(v)))
		default:
			out = append(out, kv(wire.Camel(name), p.Str(name)))
		}
	}
	return out
}

func (c *call) newVersion(t *launchTemplate, base wire.Params) (templateVersion, error) {
	data := c.p.Struct("LaunchTemplateData")
	if len(data) == 0 && base == nil {
		return templateVersion{}, wire.Errorf("MissingParameter", "The request must contain the parameter LaunchTemplateData")
	}
	merged := maps.Clone(base)
	if merged == nil {
		merged = wire.Params{}
	}
	maps.Copy(merged, data)
	if typ := merged.Str("InstanceType"); typ != "" && !knownType(typ) {
		return templateVersion{}, invalidValue("instanceType", typ)
	}
	n := t.numbered + 1
	return templateVersion{
		head: head{id: fmt.Sprintf("%09d", n), created: c.now}, number: n, description: c.p.Str("VersionDescription"), data: merged, template: t,
	}, nil
}

func (c *call) createLaunchTemplate() (wire.Struct, error) {
	name, err := c.required("LaunchTemplateName")
	if err != nil {
		return nil, err
	}
	if !regexp.MustCompile(`^[a-zA-Z0-9().\-/_]{3,128}$`).MatchString(name) {
		return nil, wire.Errorf("InvalidLaunchTemplateName.MalformedException", "A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _.")
	}
	if slices.ContainsFunc(c.templates, func(t *launchTemplate) bool { return t.name == name }) {
		return nil, wire.Errorf("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
	}
	t := &launchTemplate{name: name, inForce: 1, createdBy: fmt.Sprintf("arn:%s:iam::%s:root", wire.Partition(c.region), c.account)}
	v, err := c.newVersion(t, nil)
	if err != nil {
		return nil, err
	}
	tags, err := c.newTags("launch-template")
	if err != nil {
		return nil, err
	}
	t.head, t.versions, t.numbered = c.newHead(kindTemplate(), tags), []templateVersion{v}, 1
	c.templates = append(c.templates, t)
	return wire.Struct{kv("launchTemplate", t.describe())}, nil
}

// template finds the one that p names, by identifier or by name.
func (c *call) template(p wire.Params) (*launchTemplate, error) {
	if name := p.Str("LaunchTemplateName"); name != "" {
		for _, t := range c.templates {
			if t.name == name {
				return t, nil
			}
		}
		return nil, wire.Errorf("InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %s, does not exist.", name)
	}
	id := p.Str("LaunchTemplateId")
	if id == "" {
		return nil, wire.Errorf("MissingParameter", "The request must contain the parameter LaunchTemplateId or LaunchTemplateName")
	}
	t, err := find(c.templates, kindTemplate(), id)
	if err != nil {
		return nil, wire.Errorf("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", id)
	}
	return t, nil
}

// version finds one by its number, $Latest or $Default.
func (t *launchTemplate) version(text string) (*templateVersion, error) {
	n := t.inForce
	switch text {
	case "", "$Default":
	case "$Latest":
		n = t.versions[len(t.versions)-1].number
	default:
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			return nil, invalidValue("version", text)
		}
	}
	i := slices.IndexFunc(t.versions, func(v templateVersion) bool { return v.number == n })
	if i < 0 {
		return nil, wire.Errorf("InvalidLaunchTemplateId.VersionNotFound", "Could not find the specified version %s for the launch template with ID %s.", text, t.id)
	}
	return &t.versions[i], nil
}

// templateData are those of the launch template that RunInstances names, nil for none.
func (c *call) templateData() (wire.Params, error) {
	p := c.p.Struct("LaunchTemplate")
	if p == nil {
		return nil, nil
	}
	t, err := c.template(p)
	if err != nil {
		return nil, err
	}
	v, err := t.version(p.Str("Version"))
	if err != nil {
		return nil, err
	}
	return v.data, nil
}

func (c *call) describeLaunchTemplates() (wire.Struct, error) {
	items := c.templates
	if names := c.p.Strings("LaunchTemplateName"); len(names) > 0 {
		items = nil
		for _, name := range names {
			t, err := c.template(wire.Params{"LaunchTemplateName": name})
			if err != nil {
				return nil, err
			}
			items = append(items, t)
		}
	}
	return describe(c, "LaunchTemplateId", "launchTemplates", items, kindTemplate(), (*launchTemplate).describe)
}

func (c *call) createLaunchTemplateVersion() (wire.Struct, error) {
	t, err := c.template(c.p)
	if err != nil {
		return nil, err
	}
	var base wire.Params
	if source := c.p.Str("SourceVersion"); source != "" {
		v, err := t.version(source)
		if err != nil {
			return nil, err
		}
		base = v.data
	}
	v, err := c.newVersion(t, base)
	if err != nil {
		return nil, err
	}
	t.versions = append(t.versions, v)
	t.numbered = v.number
	return wire.Struct{kv("launchTemplateVersion", v.describe())}, nil
}

func (v *templateVersion) field(name string) ([]string, bool) {
	if name != "is-default-version" {
		return nil, false
	}
	if v == nil {
		return nil, true
	}
	return []string{strconv.FormatBool(v.number == v.template.inForce)}, true
}

func (c *call) describeLaunchTemplateVersions() (wire.Struct, error) {
	t, err := c.template(c.p)
	if err != nil {
		return nil, err
	}
	var items []*templateVersion
	for _, text := range c.p.Strings("LaunchTemplateVersion") {
		v, err := t.version(text)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	if len(items) == 0 {
		for i := range t.versions {
			items = append(items, &t.versions[i])
		}
	}
	slices.Reverse(items) // the newest first
	return describe(c, "", "launchTemplateVersionSet", items, kind{}, (*templateVersion).describe)
}

func (c *call) modifyLaunchTemplate() (wire.Struct, error) {
	t, err := c.template(c.p)
	if err != nil {
		return nil, err
	}
	text, err := c.required("SetDefaultVersion")
	if err != nil {
		return nil, err
	}
	v, err := t.version(text)
	if err != nil {
		return nil, err
	}
	t.inForce = v.number
	return wire.Struct{kv("launchTemplate", t.describe())}, nil
}

func (c *call) deleteLaunchTemplate() (wire.Struct, error) {
	t, err := c.template(c.p)
	if err != nil {
		return nil, err
	}
	c.templates = remove(c.templates, t)
	return wire.Struct{kv("launchTemplate", t.describe())}, nil
}

func (c *call) deleteLaunchTemplateVersions() (wire.Struct, error) {
	t, err := c.template(c.p)
	if err != nil {
		return nil, err
	}
	done, failed := wire.List{}, wire.List{}
	for _, text := range c.p.Strings("LaunchTemplateVersion") {
		item := wire.Struct{kv("launchTemplateId", t.id), kv("launchTemplateName", t.name), kv("versionNumber", text)}
		n, _ := strconv.Atoi(text)
		i := slices.IndexFunc(t.versions, func(v templateVersion) bool { return v.number == n })
		switch {
		case i < 0:
			failed = append(failed, append(item, kv("responseError", wire.Struct{kv("code", "launchTemplateVersionDoesNotExist"), kv("message", "The version does not exist.")})))
		case n == t.inForce:
			return nil, wire.Errorf("InvalidParameterValue", "Cannot delete the default version %d of the launch template %s.", n, t.id)
		default:
			done = append(done, item)
		}
	}
	t.versions = slices.DeleteFunc(slices.Clone(t.versions), func(v templateVersion) bool {
		return slices.Contains(c.p.Strings("LaunchTemplateVersion"), strconv.Itoa(v.number))
	})
	return wire.Struct{kv("successfullyDeletedLaunchTemplateVersionSet", done), kv("unsuccessfullyDeletedLaunchTemplateVersionSet", failed)}, nil
}
