package kubeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/eks"
)

// maxReview bounds a TokenReview, in bytes.
const maxReview = 64 << 10

// reviewTimeout bounds what a review asks of the cluster's own API server.
const reviewTimeout = 10 * time.Second

// tokenReview of the API group authentication.k8s.io/v1.
type tokenReview struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Token string `json:"token"`
	} `json:"spec"`
	Status reviewStatus `json:"status"`
}

type reviewStatus struct {
	Authenticated bool   `json:"authenticated"`
	User          *user  `json:"user,omitempty"`
	Error         string `json:"error,omitempty"`
}

const reviewVersion = "authentication.k8s.io/v1"

// webhook answers the TokenReviews of API servers, each by the path that is its cluster's
// ARN.
type webhook struct {
	verifier *verifier
	access   func(arn string) (eks.Access, bool)
	api      func(arn string) *client // of a cluster's administrator; nil: it does not run
	logger   *slog.Logger

	url    string
	server *http.Server
	served chan struct{} // closed when it no longer serves
}

// start listens on a free port of 127.0.0.1. What a review tells, and no more than yes or
// no with a name, any program of this machine may ask.
func (h *webhook) start() error {
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("the listener of the token webhook: %w", err)
	}
	h.url = "http://" + ln.Addr().String()
	h.server = &http.Server{Handler: h, ReadHeaderTimeout: reviewTimeout, ErrorLog: slog.NewLogLogger(h.logger.Handler(), slog.LevelWarn)}
	h.served = make(chan struct{})
	go func() {
		defer close(h.served)
		if err := h.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			h.logger.Error("the token webhook ended", "error", err)
		}
	}()
	return nil
}

func (h *webhook) close() error {
	err := h.server.Close()
	<-h.served
	if err != nil {
		return fmt.Errorf("closing the token webhook: %w", err)
	}
	return nil
}

// of is the URL for a cluster.
func (h *webhook) of(arn string) string { return h.url + "/" + url.PathEscape(arn) }

// ServeHTTP implements http.Handler.
func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	cluster, err := parseARN(strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil || r.Method != http.MethodPost {
		http.Error(w, "want POST /ARN-OF-A-CLUSTER", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReview))
	var review tokenReview
	if err == nil {
		err = json.Unmarshal(body, &review)
	}
	if err != nil || review.Kind != "TokenReview" || review.APIVersion != reviewVersion {
		http.Error(w, "want a TokenReview of "+reviewVersion, http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), reviewTimeout)
	defer cancel()
	answer := tokenReview{APIVersion: reviewVersion, Kind: "TokenReview"}
	answer.Status = h.review(ctx, cluster, review.Spec.Token)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the API server may be gone
}

// review a token. The reason of a refusal goes to the log only, as on AWS.
func (h *webhook) review(ctx context.Context, cluster arn, token string) reviewStatus {
	id, err := h.verifier.verify(ctx, token, cluster)
	if errors.Is(err, errNoToken) {
		return reviewStatus{} // some other authenticator's; every wrong token comes by here
	}
	var u user
	if err == nil {
		u, err = h.userOf(ctx, cluster, id)
	}
	if err != nil {
		h.logger.WarnContext(ctx, "a token was refused", "cluster", cluster.text, "identity", id.ARN, "reason", err)
		return reviewStatus{Error: "Unauthorized"}
	}
	return reviewStatus{Authenticated: true, User: &u}
}

// userOf an identity in a cluster.
func (h *webhook) userOf(ctx context.Context, cluster arn, id identity) (user, error) {
	access, ok := h.access(cluster.text)
	api := h.api(cluster.text)
	if !ok || api == nil {
		return user{}, errors.New("there is no such cluster")
	}
	m, err := mapIdentity(id, access, func() (awsAuth, error) { return readAWSAuth(ctx, api) })
	if err != nil {
		return user{}, err
	}
	u, err := id.user(m)
	if err != nil {
		return user{}, err
	}
	groups, err := policyGroups(ctx, api, m.policies)
	if err != nil {
		return user{}, err
	}
	u.Groups = slices.Concat(u.Groups, groups)
	return u, nil
}
