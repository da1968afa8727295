package awssim

import (
	"encoding/json"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/norikae/norikae/internal/awssim/fault"
)

// ControlPrefix is where the control endpoint is, beside the API.
const ControlPrefix = "/_lab/"

// withControl puts the control endpoint beside the API.
func (l *Lab) withControl(api http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_lab/healthz", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, map[string]bool{"ok": true})
	})
	mux.HandleFunc("GET /_lab/world", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, l.World()) })
	mux.HandleFunc("GET /_lab/counters", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, l.Counters()) })
	mux.HandleFunc("POST /_lab/reset-counters", func(w http.ResponseWriter, _ *http.Request) {
		l.ResetCounters()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /_lab/calls", l.serveCalls)
	mux.HandleFunc("GET /_lab/faults", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, l.faults.List()) })
	mux.HandleFunc("POST /_lab/faults", l.addFault)
	mux.HandleFunc("DELETE /_lab/faults", func(w http.ResponseWriter, _ *http.Request) {
		l.faults.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /_lab/faults/{id}", func(w http.ResponseWriter, r *http.Request) {
		if err := l.faults.Remove(r.PathValue("id")); err != nil {
			answerError(w, http.StatusNotFound, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/_lab/", func(w http.ResponseWriter, r *http.Request) {
		answerError(w, http.StatusNotFound, fmt.Errorf(
			"%s %s is not there; there are GET world, calls, faults, counters, healthz, POST faults, reset-counters, DELETE faults, faults/ID", r.Method, r.URL.Path))
	})
	control := http.NewCrossOriginProtection().Handler(l.onLoopback(mux))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, ControlPrefix) {
			control.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// onLoopback refuses requests that name neither a loopback host nor the lab's own address: a web page that lets
// its own name resolve to 127.0.0.1 (DNS rebinding) gives itself away by its Host.
func (l *Lab) onLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) && !strings.HasPrefix(r.Host, l.cfg.Nodes.String()+":") {
			answerError(w, http.StatusForbidden, fmt.Errorf("host %q is not a loopback address; use 127.0.0.1 or localhost", r.Host))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (l *Lab) addFault(w http.ResponseWriter, r *http.Request) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		answerError(w, http.StatusUnsupportedMediaType, fmt.Errorf("content type: %q is not application/json", r.Header.Get("Content-Type")))
		return
	}
	rule, err := fault.Parse(r.Body)
	if err == nil {
		rule.ID, err = l.faults.Add(rule)
	}
	if err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	answerJSON(w, http.StatusCreated, rule)
}

// serveCalls writes the call log as JSON lines, and with ?follow=1 goes on until the
// client or the lab ends.
func (l *Lab) serveCalls(w http.ResponseWriter, r *http.Request) {
	follow := false
	switch v := r.URL.Query().Get("follow"); v {
	case "", "0":
	case "1":
		follow = true
	default:
		answerError(w, http.StatusBadRequest, fmt.Errorf("follow: %q is not 0 or 1", v))
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	flusher := http.NewResponseController(w)
	out := json.NewEncoder(w)
	entries, pos := l.calls.Since(0)
	for {
		for _, e := range entries {
			if err := out.Encode(e); err != nil {
				return // the client is gone
			}
		}
		if !follow || flusher.Flush() != nil {
			return
		}
		var err error
		if entries, pos, err = l.calls.Wait(r.Context(), pos); err != nil {
			return
		}
	}
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client may be gone
}

func answerError(w http.ResponseWriter, status int, err error) {
	answerJSON(w, status, map[string]string{"error": err.Error()})
}
