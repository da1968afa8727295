package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/norikae/norikae/test/stack/container"
	"github.com/norikae/norikae/test/stack/image"
	"github.com/norikae/norikae/test/stack/lab"
	"github.com/norikae/norikae/test/stack/node"
)

func command() *cobra.Command {
	cmd := &cobra.Command{
		Use: "norikae-stack", Short: "A lab with everything: the simulated AWS, and nodes for its clusters",
		SilenceUsage: true, SilenceErrors: true,
	}
	cmd.AddCommand(upCommand(), execCommand(), nodeCommand(), idleCommand())
	return cmd
}

// defaultDir is where a lab is that is not told otherwise.
func defaultDir() string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = os.TempDir()
	}
	return filepath.Join(cmp.Or(os.Getenv("XDG_STATE_HOME"), filepath.Join(home, ".local", "state")), "norikae", "lab")
}

// upCommand is a lab.
func upCommand() *cobra.Command {
	cfg := lab.Config{}
	var inside bool
	cmd := &cobra.Command{
		Use: "up [-- FLAGS OF norikae lab up]", Short: "Run a lab until interrupted",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !inside {
				return enterNew()
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			cfg.Args, cfg.Out = args, cmd.OutOrStdout()
			cfg.Logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			return lab.Run(ctx, cfg)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Norikae, "norikae", "norikae", "the program norikae")
	f.StringVar(&cfg.Kube, "kubernetes", "", "folder with Kubernetes' programs")
	f.StringVar(&cfg.Assets, "assets", "", "folder with the programs of the images")
	f.StringVar(&cfg.Dir, "dir", defaultDir(), "folder of the lab")
	f.BoolVar(&inside, "inside", false, "this process is in a network of its own")
	_ = f.MarkHidden("inside")
	return cmd
}

// checkRoot says early what the kernel would say without a reason.
func checkRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("networks and mounts of its own take root: run it by sudo --preserve-env=NORIKAE_STACK,XDG_STATE_HOME")
	}
	return nil
}

// enterNew runs this program again, in namespaces of its own, and ends as it ends.
func enterNew() error {
	if err := checkRoot(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	args := append([]string{"up", "--inside"}, os.Args[2:]...)
	cmd := exec.Command(self, args...) //nolint:gosec,noctx // this program, which ends by signals
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	child, err := container.StartChild(cmd)
	if err != nil {
		return err
	}
	for {
		select {
		case s := <-signals:
			child.Signal(s)
		case <-child.Done():
			if code := child.ExitCode(); code != 0 {
				os.Exit(max(code, 1)) // it has said why
			}
			return nil
		}
	}
}

// execCommand is any program in the lab's network.
func execCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "exec [-- PROGRAM ARGUMENTS]", Short: "Run a program, or a shell, in the network of a running lab",
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := lab.ReadSession(dir)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				args = []string{cmp.Or(os.Getenv("SHELL"), "/bin/sh")}
			}
			return enter(s, dir, args)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", defaultDir(), "folder of the lab")
	return cmd
}

// enter becomes a program in the lab's network.
func enter(s lab.Session, dir string, args []string) error {
	env := s.Environ(os.Environ())
	if err := checkRoot(); err != nil {
		return err
	}
	if err := os.Setenv("PATH", strings.TrimPrefix(env[len(env)-1], "PATH=")); err != nil {
		return fmt.Errorf("the lab's PATH: %w", err)
	}
	program, err := exec.LookPath(args[0])
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	runtime.LockOSThread()
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", s.PID))
	if err != nil {
		return fmt.Errorf("the lab's network: %w", err)
	}
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("entering the lab's network: %w", err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("a program's own mounts: %w", err)
	}
	if err := s.Resolve(dir); err != nil {
		return err
	}
	return fmt.Errorf("starting %s: %w", program, unix.Exec(program, args, env))
}

// idleCommand is an agent of which the lab has the place and not the work.
func idleCommand() *cobra.Command {
	return &cobra.Command{
		Use: "idle", Short: "Be there until asked to end", Hidden: true, DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), "in the lab this agent is there, and does nothing"); err != nil {
				return fmt.Errorf("saying so: %w", err)
			}
			<-ctx.Done()
			return nil
		},
	}
}

// nodeCommand is one node.
func nodeCommand() *cobra.Command {
	var cfg node.Config
	var addr, pods, assets, norikae string
	cmd := &cobra.Command{
		Use: "node", Short: "Run one node, in a network of its own", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if cfg.Addr, err = netip.ParseAddr(addr); err != nil {
				return fmt.Errorf("--address: %w", err)
			}
			if cfg.Pods, err = netip.ParsePrefix(pods); err != nil {
				return fmt.Errorf("--pods: %w", err)
			}
			if cfg.Images, err = image.Read(assets, norikae); err != nil {
				return err
			}
			cfg.Logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			return node.Run(ctx, cfg)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Name, "name", "", "the node's name")
	f.StringVar(&addr, "address", "", "its address in the VPC")
	f.StringVar(&pods, "pods", "", "the subnet of its pods")
	f.StringVar(&cfg.Kubeconfig, "kubeconfig", "", "the way to its API server")
	f.StringVar(&cfg.Dir, "dir", "", "a folder of its own")
	f.StringVar(&cfg.DNS, "dns", "", "address of the cluster's name server")
	f.StringVar(&assets, "assets", "", "folder with the programs of the images")
	f.StringVar(&norikae, "norikae", "", "the program norikae, for its image")
	f.StringVar(&cfg.ProviderID, "provider-id", "", "what AWS calls the node")
	f.StringToStringVar(&cfg.Labels, "labels", nil, "the node's labels")
	f.StringArrayVar(&cfg.Env, "env", nil, "NAME=value, for all containers")
	return cmd
}
