package eksapi

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/provider/connection"
)

const (
	// credentialsPath on the loopback interface.
	credentialsPath = "/credentials"
	// patience with a client that asks for credentials, and with AWS that makes them.
	patience = time.Minute
)

// Serve implements provider.Credentials. A role is assumed here, and its credentials are
// served over HTTP on the loopback interface, to whoever has the token: AWS's SDKs ask there
// again before what they have expires, as they do in a container. Credentials in variables
// would expire in the middle of a creation, and with them the chance to clean up.
// Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
func (a *API) Serve(ctx context.Context, c connection.Connection) (map[string]string, func(), error) {
	vars := place(c)
	if c.AssumeRole == nil {
		return vars, func() {}, nil
	}
	cfg, err := a.configure(ctx, c)
	if err != nil {
		return nil, func() {}, err
	}
	doing := "assuming " + c.AssumeRole.RoleARN
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil { // better here than from the program
		return nil, func() {}, awsconf.Classify(doing, err)
	}
	token := rand.Text()
	at, stop, err := serve(ctx, credentialsHandler(cfg.Credentials, token, doing))
	if err != nil {
		return nil, func() {}, fmt.Errorf("serving credentials on the loopback interface: %w", err)
	}
	vars[awsconf.ServedRole] = c.AssumeRole.RoleARN
	vars["AWS_CONTAINER_CREDENTIALS_FULL_URI"], vars["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "http://"+at+credentialsPath, token
	// Where a profile has credentials, an SDK takes those: the role's session is from the
	// profile, and must go before it.
	delete(vars, profile)
	vars["AWS_CONFIG_FILE"], vars["AWS_SHARED_CREDENTIALS_FILE"] = os.DevNull, os.DevNull
	return vars, stop, nil
}

// serve on a free port of the loopback interface until stop is called.
func serve(ctx context.Context, h http.Handler) (address string, stop func(), err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: h, ReadTimeout: patience, WriteTimeout: 2 * patience}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l) // it ends when it is closed
	}()
	return l.Addr().String(), func() {
		_ = srv.Close()
		<-done
	}, nil
}

// credentialsHandler answers as a container's credentials endpoint.
func credentialsHandler(from aws.CredentialsProvider, token, doing string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+credentialsPath, func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(token)) != 1 {
			answer(w, http.StatusForbidden, map[string]string{"code": "AccessDenied", "message": "the token is not the one of this run"})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		creds, err := from.Retrieve(ctx)
		if err != nil {
			answer(w, http.StatusInternalServerError, map[string]string{"code": "CredentialsUnavailable", "message": awsconf.Classify(doing, err).Error()})
			return
		}
		out := map[string]string{"AccessKeyId": creds.AccessKeyID, "SecretAccessKey": creds.SecretAccessKey, "Token": creds.SessionToken}
		if creds.CanExpire {
			out["Expiration"] = creds.Expires.UTC().Format(time.RFC3339Nano)
		}
		answer(w, http.StatusOK, out)
	})
	return mux
}

func answer(w http.ResponseWriter, status int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that went away asks again
}
