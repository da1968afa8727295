package wire

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Route tells how calls for one operation of a REST service are recognised, and what
// belongs to its input and its answer outside of the bodies.
type Route struct {
	Operation, Method string
	// Path is e.g. "/2013-04-01/hostedzone/{HostedZoneId}/rrset": a label stands for one
	// segment, not empty, and is a member of the input. The last may be greedy,
	// "{ResourceArn+}", and take what is left. Of several paths that match, the first
	// with the fewest labels counts.
	Path string
	// Query names the members that query parameters are, where the names differ. A
	// parameter that repeats is a list.
	Query map[string]string
	// Status of an answer that is no error; 0: 200.
	Status int
	// Headers of the answer, by the member of the result that each holds, e.g. Location.
	Headers map[string]string
}

// match gives the labels of a path in its segments, and how many there are.
func (r *Route) match(method string, segments []string) (Params, bool) {
	if method != r.Method {
		return nil, false
	}
	labels := Params{}
	pattern := strings.Split(strings.Trim(r.Path, "/"), "/")
	for i, want := range pattern {
		if i >= len(segments) {
			return nil, false
		}
		name, label := strings.CutPrefix(want, "{")
		if !label {
			if segments[i] != want {
				return nil, false
			}
			continue
		}
		name, greedy := strings.CutSuffix(strings.TrimSuffix(name, "}"), "+")
		value := segments[i]
		if greedy {
			value = strings.Join(segments[i:], "/")
		}
		if value == "" {
			return nil, false
		}
		labels[name] = value
		if greedy {
			return labels, true
		}
	}
	return labels, len(pattern) == len(segments)
}

// segments of a path, each unescaped on its own: a label can hold a slash. A trailing
// slash does not count; botocore has one where the API's model has.
func segments(u *url.URL) []string {
	path := strings.TrimSuffix(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	out := strings.Split(path, "/")
	for i, s := range out {
		if plain, err := url.PathUnescape(s); err == nil {
			out[i] = plain
		}
	}
	return out
}

// protocolOf is the protocol that a call seems to be in, by what can be seen without
// knowing which services there are.
func protocolOf(hr *http.Request, service string) Protocol {
	switch {
	case strings.HasPrefix(hr.URL.Path, cborPath):
		return CBOR
	case hr.Header.Get("X-Amz-Target") != "":
		return JSON
	case hr.URL.Path != "/" && hr.URL.Path != "":
		if service == "route53" || service == "cloudfront" || service == "s3" {
			return RESTXML
		}
		return RESTJSON
	case service == "ec2":
		return EC2
	default:
		return Query
	}
}

// decode reads a call and finds its service. The Request is never nil, so that an
// error can be answered in the caller's protocol; the Registration may be.
func (m *Mux) decode(hr *http.Request) (*Request, *Registration, error) {
	req := &Request{HTTP: hr, Params: Params{}, Region: m.cfg.Region, AccountID: DefaultAccountID}
	caller, err := credentialsOf(hr)
	req.Service, req.Protocol = caller.service, protocolOf(hr, caller.service)
	if err != nil {
		return req, nil, err
	}
	if caller.accessKeyID != "" {
		req.Region, req.AccessKeyID = caller.region, caller.accessKeyID
	}
	sent, err := readBody(hr)
	if err != nil {
		return req, nil, err
	}
	body, err := plain(hr, sent)
	if err != nil {
		return req, nil, err
	}
	reg, err := m.route(hr, req, body)
	if m.cfg.VerifySignatures && reg != nil {
		if refused := m.verify(req, caller, sent); refused != nil {
			return req, reg, refused
		}
	}
	if err != nil {
		return req, reg, err
	}
	if err := m.cfg.Check(caller.accessKeyID, caller.token); err != nil {
		return req, reg, reworded(req, err)
	}
	if account := m.cfg.Resolve(caller.accessKeyID); account != "" {
		req.AccountID = account
	}
	return req, reg, nil
}

// route fills in Service, Operation, Protocol and Params.
func (m *Mux) route(hr *http.Request, req *Request, body []byte) (reg *Registration, err error) {
	switch req.Protocol {
	case CBOR:
		prefix, op, _ := strings.Cut(strings.TrimPrefix(hr.URL.Path, cborPath), "/operation/")
		reg, req.Operation = m.byTarget(prefix), strings.TrimSuffix(op, "/")
		if reg == nil {
			return nil, NotSimulated(known(req.Service, prefix), req.Operation)
		}
		req.Service = reg.Name
		req.Params, err = DecodeCBOR(body)
	case JSON:
		target := hr.Header.Get("X-Amz-Target")
		prefix, op, _ := strings.Cut(target, ".")
		reg, req.Operation = m.byTarget(prefix), op
		if reg == nil {
			return nil, NotSimulated(known(req.Service, prefix), known(op, target))
		}
		req.Service = reg.Name
		req.Params, err = DecodeJSON(body)
	case RESTXML, RESTJSON:
		return m.routeREST(hr, req, body)
	case Query, EC2:
		return m.routeQuery(hr, req, body)
	}
	return reg, err
}

func (m *Mux) routeQuery(hr *http.Request, req *Request, body []byte) (*Registration, error) {
	form, err := queryForm(hr, body)
	if err != nil {
		return nil, err
	}
	req.Operation = form.Get("Action")
	version := form.Get("Version")
	reg := m.byVersion(version, req.Service)
	switch {
	case req.Operation == "":
		return reg, Errorf("MissingAction", "the request has no Action parameter")
	case reg == nil && version != "":
		return nil, NotSimulated(known(req.Service, "unknown service")+" (API version "+version+")", req.Operation)
	case reg == nil:
		return nil, NotSimulated(known(req.Service, "unknown service"), req.Operation)
	}
	req.Service = reg.Name
	if reg.EC2 {
		req.Protocol = EC2
		req.Params, err = ParseEC2Form(form)
	} else {
		req.Protocol = Query
		req.Params, err = ParseForm(form)
	}
	return reg, err
}

// routeREST joins the parameters of the URL, the body and the labels of the path. Where
// names clash, the latter win.
func (m *Mux) routeREST(hr *http.Request, req *Request, body []byte) (*Registration, error) {
	req.Operation = hr.Method + " " + hr.URL.Path
	reg, labels := m.byPath(hr, req)
	if reg == nil {
		return nil, NotSimulated(known(req.Service, "unknown service"), req.Operation)
	}
	req.Service, req.Protocol = reg.Name, RESTXML
	if reg.RESTJSON {
		req.Protocol = RESTJSON
	}
	if req.route == nil {
		return reg, NotSimulated(reg.Name, req.Operation)
	}
	req.Operation = req.route.Operation
	query, err := url.ParseQuery(hr.URL.RawQuery)
	if err != nil {
		return reg, Errorf("MalformedQueryString", "%v", err)
	}
	for k, values := range query {
		if strings.HasPrefix(strings.ToLower(k), "x-amz-") {
			continue // of a presigned URL's signature
		}
		k = known(req.route.Query[k], k)
		for _, v := range values {
			add(req.Params, k, v)
		}
	}
	var sent Params
	if reg.RESTJSON {
		sent, err = DecodeJSON(body)
	} else {
		sent, err = DecodeXML(body, reg.ListNames)
	}
	if err != nil {
		return reg, err
	}
	maps.Copy(req.Params, sent)
	maps.Copy(req.Params, labels)
	return reg, nil
}

// byPath finds the REST service that a call is for, by its signing name if it is signed,
// and the route in req; none, if the service has no such route.
func (m *Mux) byPath(hr *http.Request, req *Request) (found *Registration, labels Params) {
	path := segments(hr.URL)
	for _, reg := range m.services {
		if len(reg.Routes) == 0 || req.Service != "" && req.Service != reg.Name {
			continue
		}
		if req.Service != "" && found == nil {
			found = reg
		}
		for i := range reg.Routes {
			l, ok := reg.Routes[i].match(hr.Method, path)
			if ok && (req.route == nil || len(l) < len(labels)) {
				found, req.route, labels = reg, &reg.Routes[i], l
			}
		}
	}
	return found, labels
}

func (m *Mux) byTarget(prefix string) *Registration {
	return m.find(func(r *Registration) bool { return prefix != "" && r.TargetPrefix == prefix })
}

// byVersion finds a service by its API version, or by the signing name in the
// credential scope when the request names no version.
func (m *Mux) byVersion(version, name string) *Registration {
	return m.find(func(r *Registration) bool {
		if version != "" {
			return r.Version == version && (name == "" || name == r.Name)
		}
		return r.Name == name
	})
}

func (m *Mux) find(ok func(*Registration) bool) *Registration {
	if i := slices.IndexFunc(m.services, ok); i >= 0 {
		return m.services[i]
	}
	return nil
}

// known is name, or else instead.
func known(name, instead string) string {
	if name == "" {
		return instead
	}
	return name
}
