package kubeapi

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// readyTimeout is how long an API server may take to answer: about 3 s by itself, more on
// a machine that compiles besides.
const readyTimeout = 2 * time.Minute

// serviceRange is where the addresses of Services are, as EKS's default has it.
const serviceRange = "10.100.0.0/16"

// portTries is how many ports Run tries where another program may take a free one first.
const portTries = 3

// Config of a Server.
type Config struct {
	// Assets is the folder with the programs etcd, kube-apiserver and, if wanted,
	// kube-controller-manager and kube-scheduler.
	Assets string
	// Dir keeps certificates, logs and, while the server runs, its data; it is made. "":
	// a temporary folder, which goes with the server.
	Dir string
	// ControllerManager runs those controllers that need no nodes: without it namespaces
	// stay Terminating, and Deployments have no pods.
	ControllerManager bool
	// Nodes is where nodes find the API server, which then listens there and not on
	// 127.0.0.1, and has a scheduler and all controllers. Zero: there are no nodes.
	Nodes netip.Addr
	// Webhook is the URL that TokenReviews of unknown bearer tokens go to; "": none.
	Webhook string
	// TokenTTL is how long the webhook's answers are kept. The API server keeps those that
	// let somebody in for another 10 s, whatever this says.
	TokenTTL time.Duration
	// Issuer of the service accounts' tokens; "": the usual one inside of a cluster.
	Issuer string
	// Logger hears of programs that end by themselves; nil: nobody.
	Logger *slog.Logger
}

// Server is a running API server.
type Server struct {
	cfg  Config
	dir  string
	url  string
	free func() // of the port

	key        *ecdsa.PrivateKey // that it serves with
	admin      pair
	accountKey []byte

	rotating sync.Mutex

	mu       sync.Mutex
	ca       []byte // PEM
	client   *client
	closed   bool
	programs []*process // in the order of their starts
	watching sync.WaitGroup
}

// Run starts an API server, and returns when it is ready. Close ends it; ctx is for the
// start alone.
func Run(ctx context.Context, cfg Config) (*Server, error) {
	if err := CheckAssets(cfg.Assets, cfg.programs()...); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for try := 1; ; try++ {
		s, err := run(ctx, cfg)
		if err == nil {
			return s, nil
		}
		if try == portTries || !strings.Contains(err.Error(), "address already in use") {
			return nil, fmt.Errorf("running an API server: %w", err)
		}
	}
}

// programs that a Server runs besides etcd and kube-apiserver.
func (c Config) programs() []string {
	switch {
	case c.Nodes.IsValid():
		return []string{"kube-controller-manager", "kube-scheduler"}
	case c.ControllerManager:
		return []string{"kube-controller-manager"}
	default:
		return nil
	}
}

// address where it listens.
func (c Config) address() netip.Addr {
	if c.Nodes.IsValid() {
		return c.Nodes
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// CheckAssets wants a folder to have etcd, kube-apiserver, and other programs.
func CheckAssets(dir string, others ...string) error {
	if dir == "" {
		return errors.New("the folder of Kubernetes' programs is not named; build them by `make kube-assets` and take what it prints")
	}
	for _, name := range append([]string{"etcd", "kube-apiserver"}, others...) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err == nil && (info.IsDir() || info.Mode()&0o111 == 0) {
			err = errors.New("it is not a program")
		}
		if err != nil {
			return fmt.Errorf("the program %s of Kubernetes is not in %s: %w; build them by `make kube-assets` and take the folder that it prints", name, dir, err)
		}
	}
	return nil
}

func run(ctx context.Context, cfg Config) (_ *Server, err error) {
	s := &Server{cfg: cfg}
	if s.dir, err = makeDir(cfg.Dir); err != nil {
		return nil, err
	}
	s.cfg.Assets, err = filepath.Abs(cfg.Assets) // the programs run elsewhere
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func makeDir(dir string) (string, error) {
	if dir == "" {
		dir, err := os.MkdirTemp("", "norikae-kube-") // with mode 0700
		if err != nil {
			return "", fmt.Errorf("making a folder: %w", err)
		}
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making a folder: %w", err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("making a folder: %w", err)
	}
	return dir, nil
}

func (s *Server) start(ctx context.Context) error {
	port, free, err := reservePort(s.cfg.address())
	if err != nil {
		return err
	}
	s.free, s.url = free, "https://"+netip.AddrPortFrom(s.cfg.address(), port).String()
	if err := s.prepare(); err != nil {
		return err
	}
	if err := s.launch("etcd", etcdArgs()); err != nil {
		return err
	}
	if err := s.launch("kube-apiserver", s.apiServerArgs(port)); err != nil {
		return err
	}
	if err := s.waitReady(ctx); err != nil {
		return err
	}
	for _, name := range s.cfg.programs() {
		args := controllerManagerArgs(s.cfg.Nodes.IsValid())
		if name == "kube-scheduler" {
			args = []string{"--kubeconfig=admin.kubeconfig", "--secure-port=0", "--leader-elect=false"}
		}
		if err := s.launch(name, args); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes all files that the programs need.
func (s *Server) prepare() error {
	clients, err := newAuthority("clients of the lab")
	if err != nil {
		return err
	}
	if s.admin, err = clients.client("lab-admin", "system:masters"); err != nil {
		return err
	}
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return fmt.Errorf("making the API server's key: %w", err)
	}
	key, err := encodeKey(s.key)
	if err != nil {
		return err
	}
	if s.accountKey, err = newAccountKey(); err != nil {
		return err
	}
	files := map[string][]byte{"clients.crt": clients.pem, "apiserver.key": key, "accounts.key": s.accountKey}
	if s.cfg.Webhook != "" {
		if files["webhook.kubeconfig"], err = kubeconfig(s.cfg.Webhook, nil, pair{}); err != nil {
			return err
		}
	}
	for name, data := range files {
		if err := writeFile(s.file(name), data); err != nil {
			return err
		}
	}
	return s.certify()
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

// certify makes a new certificate authority and a certificate of it, and the clients that
// believe it.
func (s *Server) certify() error {
	ca, err := newAuthority("kubernetes")
	if err != nil {
		return err
	}
	cert, err := ca.serving(s.key, s.cfg.address())
	if err != nil {
		return err
	}
	config, err := kubeconfig(s.url, ca.pem, s.admin)
	if err != nil {
		return err
	}
	admin, err := newClient(s.url, ca.pem, s.admin)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"apiserver.crt": cert, "ca.crt": ca.pem, "admin.kubeconfig": config} {
		if err := writeFile(s.file(name), data); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		s.client.close()
	}
	s.ca, s.client = ca.pem, admin
	return nil
}

// etcdArgs are about sockets in the server's own folder, which is the programs' working
// folder: no port to take, and nobody else can open them.
func etcdArgs() []string {
	const client, peer = "unix://etcd.sock", "unix://peer.sock"
	return []string{
		"--name=default", "--data-dir=etcd", "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
	}
}

func (s *Server) apiServerArgs(port uint16) []string {
	issuer := s.cfg.Issuer
	if issuer == "" {
		issuer = "https://kubernetes.default.svc"
	}
	args := []string{
		"--etcd-servers=unix://etcd.sock",
		"--bind-address=" + s.cfg.address().String(), "--advertise-address=" + s.cfg.address().String(), fmt.Sprintf("--secure-port=%d", port), "--permit-port-sharing",
		"--cert-dir=.", "--tls-cert-file=apiserver.crt", "--tls-private-key-file=apiserver.key", "--client-ca-file=clients.crt",
		"--service-account-issuer=" + issuer, "--service-account-key-file=accounts.key", "--service-account-signing-key-file=accounts.key",
		"--service-cluster-ip-range=" + serviceRange, "--authorization-mode=RBAC", "--allow-privileged=true",
	}
	if s.cfg.Nodes.IsValid() {
		args = append(args, "--kubelet-preferred-address-types=InternalIP")
	} else {
		// No controller need make a token before a pod can be made, and no node is there
		// that a Service could lead to.
		args = append(args, "--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none")
	}
	if s.cfg.Webhook != "" {
		args = append(args,
			"--authentication-token-webhook-config-file=webhook.kubeconfig", "--authentication-token-webhook-version=v1",
			"--authentication-token-webhook-cache-ttl="+s.cfg.TokenTTL.String())
	}
	return args
}

// controllerManagerArgs name all controllers, or those that do their work without nodes.
func controllerManagerArgs(nodes bool) []string {
	args := []string{
		"--kubeconfig=admin.kubeconfig", "--secure-port=0", "--leader-elect=false", "--service-account-private-key-file=accounts.key",
	}
	if nodes {
		return append(args, "--root-ca-file=ca.crt")
	}
	controllers := []string{
		"deployment-controller", "replicaset-controller", "job-controller", "endpointslice-controller",
		"namespace-controller", "garbage-collector-controller", "serviceaccount-controller", "clusterrole-aggregation-controller",
	}
	return append(args, "--controllers="+strings.Join(controllers, ","))
}

// launch a program, and watch it.
func (s *Server) launch(name string, args []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("the API server is closed")
	}
	p, err := startProcess(s.dir, s.cfg.Assets, name, args)
	if err != nil {
		return err
	}
	s.programs = append(s.programs, p)
	s.watching.Go(func() {
		<-p.done
		s.mu.Lock()
		expected := s.closed
		s.mu.Unlock()
		if !expected {
			s.cfg.Logger.Error("a program of an API server ended by itself", "server", s.url, "error", p.failure())
		}
	})
	return nil
}

// waitReady waits until the API server says that it is ready, or a program ends.
func (s *Server) waitReady(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last error
	s.mu.Lock()
	api, programs := s.client, slices.Clone(s.programs)
	s.mu.Unlock()
	for {
		for _, p := range programs {
			select {
			case <-p.done:
				return p.failure()
			default:
			}
		}
		if last = api.ready(ctx); last == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tail := programs[len(programs)-1].tail()
			return fmt.Errorf("waiting until the API server is ready: %w: %w; its log ends with:\n%s", ctx.Err(), last, tail)
		}
	}
}

// Endpoint is the URL of the API server.
func (s *Server) Endpoint() string { return s.url }

// CA is the certificate authority of the API server's certificate, in PEM.
func (s *Server) CA() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ca
}

// Kubeconfig is the file by which an administrator of the API server gets in. It is
// written anew by RotateCA.
func (s *Server) Kubeconfig() string { return s.file("admin.kubeconfig") }

// Dir has the logs: etcd.log, kube-apiserver.log, kube-controller-manager.log.
func (s *Server) Dir() string { return s.dir }

// api is the administrator's client.
func (s *Server) api() *client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}

// RotateCA gives the running API server a certificate of a new authority, and returns when
// it serves with it. Clients that believe the old one no longer get in.
func (s *Server) RotateCA(ctx context.Context) error {
	s.rotating.Lock()
	defer s.rotating.Unlock()
	if err := s.certify(); err != nil {
		return err
	}
	// kube-apiserver watches its files.
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := s.waitReady(ctx); err != nil {
		return fmt.Errorf("rotating the certificate authority: %w", err)
	}
	return nil
}

// Close ends the programs, the last first, and waits for them. Of a folder that the caller
// has named the certificates and the logs stay.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	programs := slices.Clone(s.programs)
	if s.client != nil {
		s.client.close()
	}
	s.mu.Unlock()
	for _, p := range slices.Backward(programs) {
		p.stop()
	}
	s.watching.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free != nil {
		s.free()
		s.free = nil
	}
	data := s.file("etcd")
	if s.cfg.Dir == "" {
		data = s.dir
	}
	if err := os.RemoveAll(data); err != nil {
		return fmt.Errorf("removing the data of an API server: %w", err)
	}
	return nil
}
