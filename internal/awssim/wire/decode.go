package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// cborPath is where rpc-v2-cbor calls go: /service/PREFIX/operation/NAME.
const cborPath = "/service/"

// maxDepth bounds the nesting of a JSON or CBOR body. GetMetricData, the deepest of
// the simulated operations, needs 7.
const maxDepth = 32

// readBody reads a body of at most MaxBody bytes, as it was sent.
func readBody(hr *http.Request) ([]byte, error) {
	if hr.Body == nil {
		return nil, nil
	}
	return readBounded(hr.Body)
}

// plain is a body decompressed where the client compressed it (SDKs do that for
// PutMetricData from 10 KiB on), to at most MaxBody bytes.
func plain(hr *http.Request, body []byte) ([]byte, error) {
	switch enc := hr.Header.Get("Content-Encoding"); enc {
	case "", "identity":
		return body, nil
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, Errorf("SerializationException", "Content-Encoding is gzip, the body is not: %v", err)
		}
		return readBounded(z)
	default:
		return nil, Errorf("SerializationException", "Content-Encoding %q is not gzip or identity", enc)
	}
}

func readBounded(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, MaxBody+1))
	if err != nil {
		return nil, Errorf("SerializationException", "reading the body: %v", err)
	}
	if len(body) > MaxBody {
		e := Errorf("RequestEntityTooLarge", "the body is larger than %d bytes", MaxBody)
		e.Status = http.StatusRequestEntityTooLarge
		return nil, e
	}
	return body, nil
}

// queryForm joins the form of a query call from the URL and the body. The members
// that belong to a presigned signature are left out.
func queryForm(hr *http.Request, body []byte) (url.Values, error) {
	form, err := url.ParseQuery(hr.URL.RawQuery)
	if err != nil {
		return nil, Errorf("MalformedQueryString", "%v", err)
	}
	posted, err := url.ParseQuery(string(bytes.TrimSpace(body)))
	if err != nil {
		return nil, Errorf("MalformedQueryString", "%v", err)
	}
	maps.Copy(form, posted)
	for k := range form {
		if strings.HasPrefix(strings.ToLower(k), "x-amz-") {
			delete(form, k)
		}
	}
	return form, nil
}

// DecodeJSON decodes the body of an awsJson call. Integers become int64, other
// numbers float64. An empty body is an empty structure.
func DecodeJSON(body []byte) (Params, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return Params{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, Errorf("SerializationException", "the body is not JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, Errorf("SerializationException", "the body goes on after its JSON object")
	}
	return normalise(v)
}

// DecodeCBOR decodes the body of an rpc-v2-cbor call. Timestamps (tag 1) become
// time.Time in UTC. An empty body is an empty structure.
func DecodeCBOR(body []byte) (Params, error) {
	if len(body) == 0 {
		return Params{}, nil
	}
	mode, err := cbor.DecOptions{
		DupMapKey:       cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels: maxDepth,
		MaxMapPairs:     10_000,
		DefaultMapType:  mapType,
	}.DecMode()
	if err != nil {
		return nil, fmt.Errorf("making the CBOR decoder: %w", err)
	}
	var v any
	if err := mode.Unmarshal(body, &v); err != nil {
		return nil, Errorf("SerializationException", "the body is not CBOR: %v", err)
	}
	return normalise(v)
}

// normalise turns what a decoder made into Params with the leaves that it promises.
func normalise(v any) (Params, error) {
	out, err := normal(v, 0)
	if err != nil {
		return nil, err
	}
	p, ok := out.(Params)
	if !ok {
		return nil, Errorf("SerializationException", "the body is %T, not a structure", v)
	}
	return p, nil
}

func normal(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, Errorf("SerializationException", "the body is nested deeper than %d", maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		p := make(Params, len(v))
		for k, e := range v {
			n, err := normal(e, depth+1)
			if err != nil {
				return nil, err
			}
			p[k] = n
		}
		return p, nil
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			n, err := normal(e, depth+1)
			if err != nil {
				return nil, err
			}
			l[i] = n
		}
		return l, nil
	default:
		return leaf(v)
	}
}

func leaf(v any) (any, error) {
	switch v := v.(type) {
	case nil, string, bool, int64, float64:
		return v, nil
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, Errorf("SerializationException", "number %.50s is out of range", v)
		}
		return f, nil
	case uint64:
		if v > math.MaxInt64 {
			return float64(v), nil
		}
		return int64(v), nil // the range was checked
	case float32:
		return float64(v), nil
	case []byte:
		return string(v), nil
	case time.Time:
		return v.UTC(), nil
	default:
		return nil, Errorf("SerializationException", "the body holds a value of an unknown kind (%T)", v)
	}
}
