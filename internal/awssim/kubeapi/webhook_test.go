package kubeapi

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// startWebhook of a lab without any cluster.
func startWebhook(t *testing.T) (*webhook, *logs) {
	t.Helper()
	v, _ := newTestVerifier()
	log := &logs{}
	h := &webhook{
		verifier: v, logger: slog.New(slog.NewTextHandler(log, nil)),
		access: func(string) (eks.Access, bool) { return eks.Access{}, false }, api: func(string) *client { return nil },
	}
	if err := h.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	return h, log
}

// ask the webhook.
func ask(t *testing.T, method, url, body string) (status int, answer string) {
	t.Helper()
	req := wiretest.Must(http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body)))(t)
	resp := wiretest.Must(http.DefaultClient.Do(req))(t)
	defer func() { _ = resp.Body.Close() }() // it is read
	return resp.StatusCode, string(wiretest.Must(io.ReadAll(resp.Body))(t))
}

// review of a token.
func review(t *testing.T, token string) string {
	t.Helper()
	return string(wiretest.Must(json.Marshal(object{"apiVersion": reviewVersion, "kind": "TokenReview", "spec": object{"token": token}}))(t))
}

func TestTheWebhookAnswersReviewsOnly(t *testing.T) {
	h, _ := startWebhook(t)
	green := h.of(clusterARN("green").text)
	for name, tc := range map[string]struct {
		method, url, body string
		want              int
	}{
		"a review":               {http.MethodPost, green, review(t, "x"), http.StatusOK},
		"another method":         {http.MethodGet, green, review(t, "x"), http.StatusNotFound},
		"no cluster":             {http.MethodPost, h.url, review(t, "x"), http.StatusNotFound},
		"what is no cluster":     {http.MethodPost, h.url + "/" + url.PathEscape(roleARN), review(t, "x"), http.StatusNotFound},
		"another version":        {http.MethodPost, green, strings.Replace(review(t, "x"), "/v1", "/v1beta1", 1), http.StatusBadRequest},
		"another kind":           {http.MethodPost, green, strings.Replace(review(t, "x"), "TokenReview", "SubjectAccessReview", 1), http.StatusBadRequest},
		"what is no JSON":        {http.MethodPost, green, "{", http.StatusBadRequest},
		"more than it will read": {http.MethodPost, green, review(t, strings.Repeat("x", maxReview)), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			if status, answer := ask(t, tc.method, tc.url, tc.body); status != tc.want {
				t.Errorf("%d %s, want %d", status, answer, tc.want)
			}
		})
	}
}

func TestAReviewTellsNoReasonAndTheLogNoSecret(t *testing.T) {
	h, log := startWebhook(t)
	green := h.of(clusterARN("green").text)
	whole := wrap(good().presign(t))
	for _, tc := range []struct{ token, answer, log string }{
		{"some other bearer token", `"status":{"authenticated":false}}`, ""},
		{whole, `"status":{"authenticated":false,"error":"Unauthorized"}}`, "there is no such cluster"},
		{wrap(set("X-Amz-Expires", "61")(good().presign(t))), `"status":{"authenticated":false,"error":"Unauthorized"}}`, "SignatureDoesNotMatch"},
	} {
		before := len(log.String())
		status, answer := ask(t, http.MethodPost, green, review(t, tc.token))
		text := log.String()[before:]
		if status != http.StatusOK || !strings.Contains(answer, tc.answer) {
			t.Errorf("%d %s, want %s", status, answer, tc.answer)
		}
		if !strings.Contains(text, tc.log) || (text == "") != (tc.log == "") || strings.Contains(text, tc.token[:20]) || strings.Contains(text, "X-Amz-Signature") {
			t.Errorf("the log tells %q, want %q", text, tc.log)
		}
	}
}
