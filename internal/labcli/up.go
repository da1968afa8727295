package labcli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
)

// listenDefault is where a lab listens that is not told otherwise.
const listenDefault = "127.0.0.1:4599"

func (c *labCommand) up() *cobra.Command {
	cfg := awssim.Fast()
	cfg.DNS = "127.0.0.1:0"
	var listen, stackName string
	var faults []string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a lab and run it until interrupted",
		Long: `Starts a lab, prints how to use it, and runs until interrupted. It begins with a world,
in region us-east-1 of account 000000000000:

  blue-green  an Application Load Balancer whose listener answers 404 but for the host
              example.com, which its rule at priority 10 sends to the target groups
              blue (100) and green (0), each with two targets of a running toy cluster
  nlb         a Network Load Balancer whose TCP listener sends connections to the same
  route53     an Application Load Balancer for each of the two clusters, and a hosted
              zone whose name api.example.com has weighted records for both, blue (100)
              and green (0), which the lab's name server answers
  fleet       EKS clusters in three accounts and three regions, or as many
              as --accounts and --regions say, with tags
  ""          nothing

Every role can be assumed and everybody may do everything, unless --authz: then calls
must be signed with a known key, the lab's own being an administrator's, and IAM's
policies hold. A lab with a --state-dir that is started there again has its resources
and addresses, but not its metrics and temporary credentials.

With --kubernetes every EKS cluster, those that are created later too, has a real API
server on this machine, of about 500 MB, and at most 8 run. aws eks update-kubeconfig and
Argo CD get in as they do on AWS: their tokens are verified, and access entries, access
policies and the ConfigMap aws-auth decide who they are. There are no nodes. The folder
has etcd, kube-apiserver and kube-controller-manager, as make kube-assets builds them and
as those for envtest, with the controller manager beside them.

With --stack full the clusters have nodes, too: one for each that their node groups want,
real kubelets and kube-proxies, whose pods are processes of this machine. A pod runs where
its image is one of those that the lab has: podinfo, Argo CD, Flagger, Traefik, Prometheus,
Redis, CoreDNS, norikae, and agents in name only. Everything is in a network of its own,
which nothing leaves; norikae lab exec works there. It takes Linux, root, and the programs
that make stack builds.`,
		Example: `  norikae lab up
  norikae lab up --seed route53 --propagation 30s
  norikae lab up --seed fleet --clusters 1000 --index-lag 1m
  norikae lab up --seed "" --state-dir ./lab --authz --max-session 1m
  norikae lab up --seed "" --kubernetes "$(make -s kube-assets)"
  norikae lab up --stack full
  norikae lab up --listen 127.0.0.1:0 -o json
  norikae lab up --fault '{"kind":"throttle","operation":"ModifyRule","times":3}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			cfg.Logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			if err := validate(cmd, cfg); err != nil {
				return err
			}
			if stackName != "" {
				return c.upStack(cmd, stackName)
			}
			lab, err := start(cfg, listen, faults)
			if err != nil {
				return err
			}
			if err := announce(cmd, lab, cfg.Authz); err != nil {
				return errors.Join(err, lab.Close())
			}
			<-ctx.Done()
			return lab.Close()
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", listenDefault, "loopback address of the API; port 0 takes a free one")
	f.StringVar(&cfg.World, "seed", awssim.WorldBlueGreen, "the world to begin with: "+strings.Join(awssim.Worlds(), ", ")+`, or "" for an empty AWS`)
	f.IntVar(&cfg.Fleet, "clusters", 0, "how many clusters the world fleet has, 1–10000 (default 20; with --kubernetes 3)")
	f.IntVar(&cfg.FleetAccounts, "accounts", 0, "how many accounts the world fleet has, 1–10 (default 3)")
	f.IntVar(&cfg.FleetRegions, "regions", 0, "how many regions the world fleet has, 1–8 (default 3)")
	f.StringVar(&cfg.StateDir, "state-dir", "", "keep the lab's resources in this `folder`, which is made (default: they end with the lab)")
	f.StringVar(&cfg.Kubernetes, "kubernetes", "", "run a real API server for every EKS cluster, by the programs in this `folder`, such as $KUBEBUILDER_ASSETS (default: endpoints are made up)")
	f.StringVar(&stackName, "stack", "", `"full": clusters have nodes, which run pods`)
	f.Var(nodes{&cfg.Nodes}, "nodes", "listen at this private `address`, in a network without a way out, in which the clusters' nodes are")
	_ = f.MarkHidden("nodes") // for the full stack, which makes that network
	f.BoolVar(&cfg.Authz, "authz", false, "verify signatures and hold callers to IAM's policies")
	f.DurationVar(&cfg.MaxSession, "max-session", 0, "temporary credentials live at most so long; 0: as they are asked for (AWS: 15m at least)")
	f.DurationVar(&cfg.Propagation, "propagation", cfg.Propagation, "how long Route 53 changes are PENDING (AWS: up to 60s)")
	f.DurationVar(&cfg.AliasTTL, "alias-ttl", cfg.AliasTTL, "how long resolvers may keep a load balancer's addresses; 0 is AWS's own 60s")
	f.DurationVar(&cfg.IndexLag, "index-lag", cfg.IndexLag, "how late the tagging service sees changes")
	f.DurationVar(&cfg.ClusterDelay, "cluster-delay", cfg.ClusterDelay, "how long EKS clusters take to become what they become (AWS: minutes)")
	f.StringVar(&cfg.DNS, "dns", cfg.DNS, `loopback address of the name server; port 0 takes a free one, "" none`)
	f.DurationVar(&cfg.MetricPeriod, "metric-period", cfg.MetricPeriod, "period of the load balancers' metrics (AWS: 60s)")
	f.DurationVar(&cfg.MetricDelay, "metric-delay", cfg.MetricDelay, "until a period's data can be read (AWS: 1–3 min)")
	f.StringArrayVar(&faults, "fault", nil, "a fault to begin with, as `JSON`; may be repeated; kinds: "+kinds())
	return cmd
}

// nodes is the flag --nodes.
type nodes struct{ *netip.Addr }

// Set implements pflag.Value.
func (n nodes) Set(text string) (err error) {
	*n.Addr, err = netip.ParseAddr(text)
	return err
}

// Type implements pflag.Value.
func (nodes) Type() string { return "address" }

// String implements pflag.Value.
func (n nodes) String() string {
	if n.Addr == nil || !n.IsValid() {
		return ""
	}
	return n.Addr.String()
}

// validate what only the command line knows.
func validate(cmd *cobra.Command, cfg awssim.Config) error {
	if cmd.Flags().Changed("clusters") && cfg.Fleet < 1 {
		return fmt.Errorf("--clusters %d is not in 1–10000", cfg.Fleet)
	}
	if cfg.DNS == "" {
		if cfg.World == awssim.WorldRoute53 {
			return fmt.Errorf(`--dns "": the world %s needs a name server; name an address, such as 127.0.0.1:0`, cfg.World)
		}
		return nil
	}
	host, _, err := net.SplitHostPort(cfg.DNS)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("--dns %q is not an address on this machine, such as 127.0.0.1:5353", cfg.DNS)
	}
	return nil
}

// named puts the name of the flag before what is wrong with a field of the lab's
// configuration.
func named(err error) error {
	e, ok := errors.AsType[*awssim.ConfigError](err)
	if !ok {
		return err
	}
	flag, ok := map[string]string{
		"world": "--seed", "fleet": "--clusters", "fleet's accounts": "--accounts", "fleet's regions": "--regions", "session": "--max-session", "name server": "--dns", "alias TTL": "--alias-ttl",
		"propagation": "--propagation", "index lag": "--index-lag", "cluster delay": "--cluster-delay",
		"metric period": "--metric-period", "metric delay": "--metric-delay", "kubernetes": "--kubernetes", "nodes": "--nodes",
	}[e.Field]
	if !ok {
		return err
	}
	return fmt.Errorf("%s: %w", flag, e.Err)
}

// start makes a lab, injects its first faults and lets it listen.
func start(cfg awssim.Config, listen string, faults []string) (*awssim.Lab, error) {
	lab, err := awssim.New(cfg)
	if err != nil {
		return nil, named(err)
	}
	for _, text := range faults {
		rule, err := fault.Parse(strings.NewReader(text))
		if err == nil {
			_, err = lab.Faults().Add(rule)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--fault %s: %w", text, err), lab.Close())
		}
	}
	if err := lab.Start(listen); err != nil {
		hint := "name another address with --listen, such as 127.0.0.1:0"
		return nil, errors.Join(fmt.Errorf("--listen %s: %w; %s", listen, err, hint), lab.Close())
	}
	return lab, nil
}

// announce prints what a shell or a script needs to use the lab.
func announce(cmd *cobra.Command, lab *awssim.Lab, authz bool) error {
	out, w := cmd.OutOrStdout(), lab.World()
	if asJSON(cmd) {
		return json.NewEncoder(out).Encode(w)
	}
	var b strings.Builder
	b.WriteString("# A simulated AWS is running. In another shell, these lines, or: eval \"$(norikae lab env" + elsewhere(w.Endpoint) + ")\"\n")
	b.WriteString(shells()["sh"].script(environmentOf(w)))
	b.WriteString("\n" + hints(w, authz))
	b.WriteString("# Ctrl-C here ends it.\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// elsewhere is the flag that lab env needs to find a lab.
func elsewhere(endpoint string) string {
	if endpoint == "http://"+listenDefault {
		return ""
	}
	return " --endpoint " + endpoint
}

// hints at what can be done in a world, as comments of a shell.
func hints(w awssim.World, authz bool) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, "# "+format+"\n", args...) }
	dig := ""
	if host, port, err := net.SplitHostPort(w.DNS); err == nil {
		dig = "dig @" + host + " -p " + port
	}
	switch w.World {
	case awssim.WorldBlueGreen:
		say("Its load balancer: curl -H 'Host: %s' %s", w.Host, w.URL)
	case awssim.WorldNLB:
		say("Its load balancer: curl %s", w.URL)
	case awssim.WorldRoute53:
		name := strings.TrimPrefix(w.URL, "http://") // host:port
		say("Its name server:    %s %s", dig, w.Name)
		say(`Its load balancers: curl --resolve "%s:$(%s +short %s | head -n 1)" %s`, name, dig, w.Name, w.URL)
	case awssim.WorldFleet:
		say("Its %d clusters are in the regions %s.", w.Clusters, strings.Join(w.Regions, ", "))
		say("Try:  norikae lab manifest > clusterset.yaml; norikae clusters list -f clusterset.yaml  (KUBECONFIG: of the cluster where Argo CD is)")
		say("Account %s:  aws eks list-clusters --region %s", w.Account, w.Regions[0])
		for _, account := range w.Accounts {
			if account != w.Account {
				say("Account %s:  %s", account, inAccount(account, w.Regions[0], authz))
			}
		}
	}
	if w.World != awssim.WorldRoute53 && dig != "" {
		say("Its name server, once there are hosted zones: %s NAME", dig)
	}
	for _, s := range w.APIServers {
		say("API server of %s: kubectl --kubeconfig %s", s.ClusterARN, s.Kubeconfig)
	}
	if w.URL != "" {
		say("Try:  norikae lab manifest > shift.yaml; norikae lab load --duration 2m & norikae shift -f shift.yaml")
	}
	return b.String()
}

// inAccount is a command that lists the clusters of another account, as a role of it.
func inAccount(account, region string, authz bool) string {
	arn := "arn:aws:iam::" + account + ":role/discovery"
	if authz { // whoever it is to be must exist, and trust the caller
		return "aws sts assume-role --role-session-name lab --role-arn " + arn
	}
	return `(eval "$(norikae lab env --role-arn ` + arn + `)"; aws eks list-clusters --region ` + region + ")"
}
