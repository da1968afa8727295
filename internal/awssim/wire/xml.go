package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// maxElements bounds an XML body. A full change batch of Route 53, 1,000 records with
// all their members, has some 20,000 elements.
const maxElements = 100_000

// DecodeXML decodes the body of a REST XML call: what its root element holds. An
// element that lists names (by itself, with the name of its members) is a list, even
// of one or none; any other is a structure if it holds elements, else text. Elements
// of a structure that repeat are a list too. Attributes, namespaces and the root's
// name do not matter; a document type or an entity of its own is refused. An empty
// body is an empty structure.
func DecodeXML(body []byte, lists map[string]string) (Params, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return Params{}, nil
	}
	d := xmlDecoder{Decoder: xml.NewDecoder(bytes.NewReader(body)), lists: lists}
	if err := d.outside(); err != nil {
		return nil, d.early(err)
	}
	v, err := d.element("", 0)
	if err != nil {
		return nil, err
	}
	if err := d.outside(); !errors.Is(err, io.EOF) {
		return nil, malformedXML("it goes on after its root element")
	}
	if p, ok := v.(Params); ok {
		return p, nil
	}
	return Params{}, nil // an empty root
}

// outside goes on to behind the next start of an element that is not within one.
func (d *xmlDecoder) outside() error {
	for {
		t, err := d.next()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return nil
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return malformedXML("there is text around its root element")
			}
		}
	}
}

func malformedXML(why string) *Error {
	return Errorf("MalformedInput", "the body is not the XML of a request: %s", why)
}

type xmlDecoder struct {
	*xml.Decoder

	lists    map[string]string
	elements int
}

// next is the next start, end or text.
func (d *xmlDecoder) next() (xml.Token, error) {
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, malformedXML(err.Error())
		}
		switch t := t.(type) {
		case xml.StartElement:
			if d.elements++; d.elements > maxElements {
				return nil, malformedXML("it has too many elements")
			}
			return t, nil
		case xml.EndElement, xml.CharData:
			return t, nil
		case xml.Directive:
			return nil, malformedXML("a document type is not allowed")
		}
	}
}

// element decodes what is between the start and the end of an element.
func (d *xmlDecoder) element(name string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, malformedXML("it is nested too deep")
	}
	var text strings.Builder
	var children Params
	member, isList := d.lists[name]
	list := []any{}
	for {
		t, err := d.next()
		if err != nil {
			return nil, d.early(err)
		}
		switch t := t.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			switch {
			case isList:
				return list, nil
			case children != nil:
				return children, nil
			}
			return text.String(), nil
		case xml.StartElement:
			v, err := d.element(t.Name.Local, depth+1)
			switch {
			case err != nil:
				return nil, err
			case isList && t.Name.Local != member:
				return nil, malformedXML("<" + name + "> holds <" + t.Name.Local + ">, not <" + member + ">")
			case isList:
				list = append(list, v)
				continue
			case children == nil:
				children = Params{}
			}
			add(children, t.Name.Local, v)
		}
	}
}

// early words the end of the body inside of an element.
func (d *xmlDecoder) early(err error) error {
	if errors.Is(err, io.EOF) {
		return malformedXML("it ends too early")
	}
	return err
}

// add puts a member into p; one that is there already makes a list with it.
func add(p Params, name string, v any) {
	old, there := p[name]
	if !there {
		p[name] = v
		return
	}
	list, ok := old.([]any)
	if !ok {
		list = []any{old}
	}
	if more, ok := v.([]any); ok {
		p[name] = append(list, more...)
		return
	}
	p[name] = append(list, v)
}
