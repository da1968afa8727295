package manifest

import "strings"

// wrongSets are taken by the API server, whose schema cannot say what is wrong.
func wrongSets() map[string]badSet {
	const (
		name   = `name: "{{ .Name }}"` + "\n"
		labels = `{env: '{{ index .Tags "env" }}', fleet: main}`
		role   = `{roleARN: "arn:aws:iam::444455556666:role/norikae"}`
	)
	return map[string]badSet{
		"one role twice": {
			[]string{role, `{roleARN: "arn:aws:iam::111122223333:role/norikae"}`},
			`10: spec.sources[0].eks.accounts[1].roleARN = "arn:aws:iam::111122223333:role/norikae": is the same as that of spec.sources[0].eks.accounts[0]: want each of them once`,
		},
		"one source twice": {
			[]string{"  template:\n", "  - eks: {regions: [us-west-2]}\n  - eks: {regions: [us-west-2]}\n  template:\n"},
			"18: spec.sources[2]: is the same as spec.sources[1]: want each of them once",
		},
		"a role of another partition": {
			[]string{role, `{roleARN: "arn:aws-cn:iam::444455556666:role/norikae"}`},
			`10: spec.sources[0].eks.accounts[1].roleARN = "arn:aws-cn:iam::444455556666:role/norikae": is in the partition aws-cn, but us-east-1 in aws: a role works in its own partition only`,
		},
		"regions of two partitions": {
			[]string{"eu-west-1", "cn-north-1"},
			`7: spec.sources[0].eks.regions[1] = "cn-north-1": is in the partition aws-cn, but us-east-1 in aws: credentials are of one partition; give each a source of its own`,
		},
		"an external ID with a space": {
			[]string{`externalID: "a=b"`, `externalID: "a b"`},
			`9: spec.sources[0].eks.accounts[0].externalID = "a b": want 2–1224 letters, digits and +=,.@:/_-`,
		},
		"a pattern of names that does not end": {
			[]string{`["prod-*"]`, `["prod-[a"]`},
			`15: spec.sources[0].eks.selector.names[0] = "prod-[a": want a pattern of names: * is any text, ? any character, [a-c] one of these, and \ takes the meaning off the next, such as prod-*`,
		},
		"an empty pattern": {
			[]string{`["*-old"]`, `[""]`},
			`16: spec.sources[0].eks.selector.exclude.names[0]: is missing: want a pattern of names: * is any text, ? any character, [a-c] one of these, and \ takes the meaning off the next, such as prod-*`,
		},
		"a name where an ARN belongs": {
			[]string{`"arn:aws:eks:us-east-1:111122223333:cluster/prod-x"`, "prod-x"},
			`16: spec.sources[0].eks.selector.exclude.arns[0] = "prod-x": want the ARN of an EKS cluster, arn:PARTITION:eks:REGION:ACCOUNT:cluster/NAME; to leave clusters out by name use exclude.names`,
		},
		"a nodegroup's ARN": {
			[]string{"cluster/prod-x", "nodegroup/prod-x"},
			`16: spec.sources[0].eks.selector.exclude.arns[0] = "arn:aws:eks:us-east-1:111122223333:nodegroup/prod-x": want the ARN of an EKS cluster, arn:PARTITION:eks:REGION:ACCOUNT:cluster/NAME; to leave clusters out by name use exclude.names`,
		},
		"a tag's key that is too long": {
			[]string{"matchTags: {env:", "matchTags: {" + strings.Repeat("k", 129) + ":"},
			`12: spec.sources[0].eks.selector.matchTags[` + strings.Repeat("k", 129) + `]: the key "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…": want 1–128 characters`,
		},
		"a tag's value that is too long": {
			[]string{"{env: prod}", "{env: " + strings.Repeat("v", 257) + "}"},
			`12: spec.sources[0].eks.selector.matchTags[env] = "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv…": want at most 256 characters`,
		},
		"a template that does not end": {
			[]string{name, "name: \"{{ .Name\"\n"},
			`18: spec.template.name = "{{ .Name": 1: unclosed action`,
		},
		"a template of a field that is not": {
			[]string{name, "name: \"{{ .ClusterName }}\"\n"},
			`18: spec.template.name = "{{ .ClusterName }}": a cluster has no .ClusterName; it has .Name, .ARN, .Partition, .Account, .Region, .Version, .VPC, .Endpoint, .Tags`,
		},
		"a template with a function of sprig": {
			[]string{name, "name: \"{{ .Name | quote }}\"\n"},
			`18: spec.template.name = "{{ .Name | quote }}": 1: function "quote" not defined`,
		},
		"a template with a loop": {
			[]string{name, "name: \"{{ range .Tags }}x{{ end }}\"\n"},
			`18: spec.template.name = "{{ range .Tags }}x{{ end }}": range, template and block are not there: a text has no loops`,
		},
		"a tag that is not one word": {
			[]string{labels, `{env: "{{ .Tags.eks-env }}"}`},
			`19: spec.template.labels[env] = "{{ .Tags.eks-env }}": 1: bad character U+002D '-'; a tag whose key is not one word is {{ index .Tags "the-key" }}`,
		},
		"a template that is too long": {
			[]string{`"{{ .ARN }}"`, strings.Repeat("x", 1025)},
			`20: spec.template.annotations[example.com/arn] = "` + strings.Repeat("x", 120) + `…": has 1025 characters, want at most 1024`,
		},
		"a label that is reserved": {
			[]string{"fleet: main", "argocd.argoproj.io/secret-type: repository"},
			`19: spec.template.labels[argocd.argoproj.io/secret-type]: key "argocd.argoproj.io/secret-type" is reserved: argocd.argoproj.io/secret-type, app.kubernetes.io/managed-by and norikae.dev/* are how Secrets are known`,
		},
		"an annotation that is reserved": {
			[]string{"example.com/arn", "norikae.dev/cluster-arn"},
			`20: spec.template.annotations[norikae.dev/cluster-arn]: key "norikae.dev/cluster-arn" is reserved: argocd.argoproj.io/secret-type, app.kubernetes.io/managed-by and norikae.dev/* are how Secrets are known`,
		},
		"a label's key that is none": {
			[]string{"fleet: main", "'my fleet': main"},
			`19: spec.template.labels[my fleet]: key "my fleet": want [PREFIX/]NAME, a NAME of at most 63 of A-Z, a-z, 0-9, -, _ and ., with a letter or digit at both ends, and a PREFIX that is a DNS name`,
		},
		"a label's value that is none": {
			[]string{"fleet: main", "fleet: 'my fleet'"},
			`19: spec.template.labels[fleet] = "my fleet": want a label's value, at most 63 letters, digits, -, _ and ., with a letter or digit at both ends; other texts can be annotations`,
		},
		"a namespace with a star": {
			[]string{"[web, api]\n    targetGroups", "['web-*']\n    targetGroups"},
			`23: spec.template.namespaces[0] = "web-*": want 1–63 lower-case letters, digits and hyphens, with a letter or digit at both ends, such as web or web-eu1`,
		},
		"a tag of target groups that is wrong": {
			[]string{`targetGroups: {name: "{{ .Name }}-*"}`, `targetGroups: {tags: {cluster: "{{ .Nam }}"}}`},
			`24: spec.template.targetGroups.tags[cluster] = "{{ .Nam }}": a cluster has no .Nam; it has .Name, .ARN, .Partition, .Account, .Region, .Version, .VPC, .Endpoint, .Tags`,
		},
		"a role for Argo CD that is none": {
			[]string{`"arn:aws:iam::{{ .Account }}:role/argocd"`, "argocd"},
			`26: spec.auth.exec.roleARN = "argocd": want the ARN of a role, arn:PARTITION:iam::ACCOUNT:role/NAME, or a template of one; without the line it is the role that Argo CD runs as`,
		},
		"a role for Argo CD that cannot be": {
			[]string{`"arn:aws:iam::{{ .Account }}:role/argocd"`, `"{{ .Role }}"`},
			`26: spec.auth.exec.roleARN = "{{ .Role }}": a cluster has no .Role; it has .Name, .ARN, .Partition, .Account, .Region, .Version, .VPC, .Endpoint, .Tags`,
		},
		"a variable with a hyphen": {
			[]string{"AWS_REGION", "AWS-REGION"},
			`26: spec.auth.exec.env[AWS-REGION]: the name "AWS-REGION": want letters, digits and underscores, without a digit in front, such as AWS_REGION`,
		},
		"a variable whose template is wrong": {
			[]string{"{{ .Region }}", "{{ .region }}"},
			`26: spec.auth.exec.env[AWS_REGION] = "{{ .region }}": a cluster has no .region; it has .Name, .ARN, .Partition, .Account, .Region, .Version, .VPC, .Endpoint, .Tags`,
		},
		"several problems come together": {
			[]string{"eu-west-1", "cn-north-1", "fleet: main", "fleet: 'my fleet'"},
			`7: spec.sources[0].eks.regions[1] = "cn-north-1": is in the partition aws-cn, but us-east-1 in aws: credentials are of one partition; give each a source of its own` + "\n" +
				`19: spec.template.labels[fleet] = "my fleet": want a label's value, at most 63 letters, digits, -, _ and ., with a letter or digit at both ends; other texts can be annotations`,
		},
	}
}
