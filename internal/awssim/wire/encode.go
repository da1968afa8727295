package wire

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// mapType makes the CBOR decoder refuse maps with keys that are not text.
var mapType = reflect.TypeFor[map[string]any]()

const (
	xmlType   = "text/xml"
	jsonType  = "application/json"
	json10    = "application/x-amz-json-1.0"
	json11    = "application/x-amz-json-1.1"
	cborType  = "application/cbor"
	xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
)

func encodeResult(h http.Header, req *Request, reg *Registration, res Struct) ([]byte, error) {
	switch req.Protocol {
	case JSON:
		h.Set("Content-Type", jsonContentType(req))
		return json.Marshal(jsonTree(res))
	case RESTJSON:
		res = takeHeaders(h, req, res)
		h.Set("Content-Type", jsonType)
		return json.Marshal(jsonTree(res))
	case CBOR:
		h.Set("Content-Type", cborType)
		h.Set("Smithy-Protocol", "rpc-v2-cbor")
		return cbor.Marshal(cborTree(res))
	case RESTXML:
		res = takeHeaders(h, req, res)
	case Query:
		if wantsJSON(req) {
			h.Set("Content-Type", jsonType)
			return json.Marshal(map[string]any{req.Operation + "Response": map[string]any{
				req.Operation + "Result": jsonTree(res),
				"ResponseMetadata":       map[string]any{"RequestId": req.ID},
			}})
		}
	case EC2:
	}
	h.Set("Content-Type", xmlType)
	return encodeXML(req, reg, res)
}

// encodeXML wraps a result as its protocol does.
func encodeXML(req *Request, reg *Registration, res Struct) ([]byte, error) {
	names := listNames{reg.ListNames, "member"}
	switch req.Protocol {
	case EC2:
		names.other = "item"
		res = append(Struct{{"requestId", req.ID}}, res...)
	case Query:
		res = Struct{{req.Operation + "Result", res}, {"ResponseMetadata", Struct{{"RequestId", req.ID}}}}
	case RESTXML, RESTJSON, JSON, CBOR:
	}
	var b bytes.Buffer
	b.WriteString(xmlHeader)
	openRoot(&b, req.Operation+"Response", reg.Namespace)
	if err := xmlMembers(&b, res, names); err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "</%sResponse>", req.Operation)
	return b.Bytes(), nil
}

// takeHeaders moves the members that are headers of a REST answer out of the body.
func takeHeaders(h http.Header, req *Request, res Struct) Struct {
	if len(req.route.Headers) == 0 {
		return res
	}
	body := make(Struct, 0, len(res))
	for _, m := range res {
		name, ok := req.route.Headers[m.Name]
		switch value, err := scalarText(m.Value); {
		case !ok:
			body = append(body, m)
		case err == nil:
			h.Set(name, value)
		}
	}
	return body
}

// encodeError answers an error in the caller's protocol.
func encodeError(h http.Header, req *Request, reg *Registration, e *Error) []byte {
	fault := known(e.Fault, "Sender")
	shape, namespace := e.Code, ""
	if reg != nil {
		shape, namespace = known(reg.Shapes[e.Code], e.Code), reg.Namespace
	}
	switch req.Protocol {
	case CBOR:
		h.Set("Content-Type", cborType)
		h.Set("Smithy-Protocol", "rpc-v2-cbor")
		h.Set("X-Amzn-Query-Error", e.Code+";"+fault)
		return must(cbor.Marshal(cborTree(Struct{{"__type", shape}, {"message", e.Message}})))
	case JSON:
		h.Set("Content-Type", jsonContentType(req))
		h.Set("X-Amzn-Errortype", shape)
		h.Set("X-Amzn-Query-Error", e.Code+";"+fault)
		return must(json.Marshal(map[string]any{"__type": shape, "message": e.Message}))
	case RESTJSON:
		h.Set("Content-Type", jsonType)
		h.Set("X-Amzn-Errortype", shape)
		return must(json.Marshal(map[string]any{"__type": shape, "message": e.Message}))
	case Query:
		if wantsJSON(req) {
			h.Set("Content-Type", jsonType)
			return must(json.Marshal(map[string]any{
				"Error":     map[string]any{"Code": e.Code, "Message": e.Message, "Type": fault},
				"RequestId": req.ID,
			}))
		}
	case RESTXML, EC2:
	}
	h.Set("Content-Type", xmlType)
	root, members := errorTree(req, e, fault)
	if req.Protocol == EC2 {
		namespace = "" // EC2's errors have none
	}
	var b bytes.Buffer
	b.WriteString(xmlHeader)
	openRoot(&b, root, namespace)
	_ = xmlMembers(&b, members, listNames{other: "Message"}) // strings alone do not fail
	fmt.Fprintf(&b, "</%s>", root)
	return b.Bytes()
}

// errorTree is an error in XML: the name of its root and what is in it.
func errorTree(req *Request, e *Error, fault string) (root string, members Struct) {
	switch {
	case req.Protocol == EC2:
		return "Response", Struct{
			{"Errors", Struct{{"Error", Struct{{"Code", e.Code}, {"Message", e.Message}}}}}, {"RequestID", req.ID},
		}
	case req.Protocol == RESTXML && e.Messages != nil:
		all := make(List, len(e.Messages))
		for i, m := range e.Messages {
			all[i] = m
		}
		return e.Code, Struct{{"Messages", all}, {"RequestId", req.ID}}
	default:
		return "ErrorResponse", Struct{
			{"Error", Struct{{"Type", fault}, {"Code", e.Code}, {"Message", e.Message}}}, {"RequestId", req.ID},
		}
	}
}

// must is for values that always encode: strings and maps of them.
func must(body []byte, err error) []byte {
	if err != nil {
		return nil
	}
	return body
}

// wantsJSON tells whether a query call asked for JSON, as STS allows: verifiers of EKS
// tokens do that.
func wantsJSON(req *Request) bool {
	return strings.Contains(req.HTTP.Header.Get("Accept"), jsonType)
}

func jsonContentType(req *Request) string {
	if strings.HasPrefix(req.HTTP.Header.Get("Content-Type"), json11) {
		return json11
	}
	return json10
}

func openRoot(b *bytes.Buffer, name, namespace string) {
	if namespace == "" {
		fmt.Fprintf(b, "<%s>", name)
		return
	}
	fmt.Fprintf(b, "<%s xmlns=%q>", name, namespace)
}

// listNames are the names of the elements of lists.
type listNames struct {
	of    map[string]string // by the list's name
	other string            // where of has none
}

func xmlMembers(b *bytes.Buffer, s Struct, names listNames) error {
	for _, m := range s {
		if err := xmlValue(b, m.Name, m.Value, names); err != nil {
			return err
		}
	}
	return nil
}

// xmlValue writes one element; nothing for nil.
func xmlValue(b *bytes.Buffer, name string, v any, names listNames) error {
	if v == nil {
		return nil
	}
	fmt.Fprintf(b, "<%s>", name)
	switch v := v.(type) {
	case Struct:
		if err := xmlMembers(b, v, names); err != nil {
			return err
		}
	case List:
		for _, e := range v {
			if err := xmlValue(b, known(names.of[name], names.other), e, names); err != nil {
				return err
			}
		}
	default:
		text, err := scalarText(v)
		if err != nil {
			return fmt.Errorf("member %s: %w", name, err)
		}
		_ = xml.EscapeText(b, []byte(text)) // a bytes.Buffer does not fail
	}
	fmt.Fprintf(b, "</%s>", name)
	return nil
}

func scalarText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return floatText(v), nil
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000Z"), nil
	default:
		return "", fmt.Errorf("%T is not a value that an answer can hold", v)
	}
}

// floatText words the floats that numbers cannot as AWS does.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// EncodeJSON is a structure as an awsJson answer has it, with its members sorted.
func EncodeJSON(s Struct) ([]byte, error) { return json.Marshal(jsonTree(s)) }

// jsonTree makes what encoding/json can marshal. Times are epoch seconds with up to
// milliseconds.
func jsonTree(v any) any {
	return tree(v, func(v any) any {
		switch v := v.(type) {
		case time.Time:
			return json.Number(strconv.FormatFloat(float64(v.UnixMilli())/1e3, 'f', -1, 64))
		case float64:
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return floatText(v)
			}
		}
		return v
	})
}

// cborTree makes what the CBOR encoder can marshal. Times are tag 1 with a float64:
// the SDK insists on the tag.
func cborTree(v any) any {
	return tree(v, func(v any) any {
		switch v := v.(type) {
		case time.Time:
			return cbor.Tag{Number: 1, Content: float64(v.UnixMilli()) / 1e3}
		case string:
			return strings.ToValidUTF8(v, "\uFFFD") // decoders refuse anything else
		}
		return v
	})
}

func tree(v any, scalar func(any) any) any {
	switch v := v.(type) {
	case Struct:
		m := make(map[string]any, len(v))
		for _, e := range v {
			if e.Value != nil {
				m[e.Name] = tree(e.Value, scalar)
			}
		}
		return m
	case List:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = tree(e, scalar)
		}
		return l
	default:
		return scalar(v)
	}
}
