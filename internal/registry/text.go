package registry

import "text/template"

// Text is a template over a cluster.
type Text struct {
	source string
	tmpl   *template.Template
}
