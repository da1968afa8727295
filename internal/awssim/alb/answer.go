package alb

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/norikae/norikae/internal/awssim/model"
)

// server is what AWS's load balancers call themselves in answers of their own.
const server = "awselb/2.0"

// statusText names the statuses as ELB's error pages do.
func statusText(status int) string {
	switch status {
	case http.StatusServiceUnavailable:
		return "Service Temporarily Unavailable"
	case http.StatusGatewayTimeout:
		return "Gateway Time-out"
	}
	return http.StatusText(status)
}

// fail answers an error of the load balancer's own and counts it.
func fail(w http.ResponseWriter, b *balancer, status int) {
	b.stats.generated(status)
	title := fmt.Sprintf("%d %s", status, statusText(status))
	write(w, status, "text/html", "<html>\r\n<head><title>"+title+"</title></head>\r\n<body>\r\n<center><h1>"+title+
		"</h1></center>\r\n</body>\r\n</html>\r\n")
}

func write(w http.ResponseWriter, status int, contentType, body string) {
	h := w.Header()
	h["Server"] = []string{server}
	if contentType != "" {
		h["Content-Type"] = []string{contentType}
	}
	w.WriteHeader(status)
	// The client may be gone; then there is nobody to tell.
	_, _ = io.WriteString(w, body)
}

// redirect answers with the Location that d's placeholders make of the request.
func (t *table) redirect(w http.ResponseWriter, r *http.Request, d *model.Redirect) {
	t.balancer.stats.redirect.Add(1)
	status := http.StatusFound
	if d.StatusCode == "HTTP_301" {
		status = http.StatusMovedPermanently
	}
	w.Header().Set("Location", t.location(r, d))
	write(w, status, "text/html", "")
}

// location expands the placeholders. Parts that are not given stay as in the request.
func (t *table) location(r *http.Request, d *model.Redirect) string {
	fill := strings.NewReplacer(
		"#{protocol}", t.scheme, "#{host}", hostOnly(r.Host), "#{port}", t.port,
		"#{path}", strings.TrimPrefix(r.URL.EscapedPath(), "/"), "#{query}", r.URL.RawQuery,
	)
	part := func(given, otherwise string) string {
		if given == "" {
			given = otherwise
		}
		return fill.Replace(given)
	}
	location := strings.ToLower(part(d.Protocol, "#{protocol}")) + "://" + part(d.Host, "#{host}") + ":" + part(d.Port, "#{port}") +
		part(d.Path, "/#{path}")
	if query := part(d.Query, "#{query}"); query != "" {
		location += "?" + query
	}
	return location
}
