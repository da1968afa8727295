package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/ekstoken"
	"github.com/norikae/norikae/internal/fault"
)

func eksCommand(env Environment) *cobra.Command {
	return cli.EKSCommand(func(ctx context.Context, o cli.TokenOptions) ([]byte, error) { return eksToken(ctx, env, o) })
}

// EKSMain is the part of the program that makes tokens for clusters (norikae eks), for
// another program that kubeconfigs name. It returns the exit code.
func EKSMain(ctx context.Context, args []string, in io.Reader, out, errw io.Writer, env Environment) int {
	eks := eksCommand(env) //nolint:contextcheck // cobra gives the command its context
	return cli.Main(ctx, args, in, out, errw, cli.Deps{Commands: []*cobra.Command{eks}, Getenv: env.Getenv, Version: env.Version})
}

// eksToken makes an ExecCredential for a cluster. A program that was given the credentials
// of a role, and with them this one, has no profiles, and need not assume that role again:
// few roles let themselves.
func eksToken(ctx context.Context, env Environment, o cli.TokenOptions) ([]byte, error) {
	if role := env.Getenv(awsconf.ServedRole); role != "" {
		o.Profile = ""
		if o.RoleARN == role {
			o.RoleARN, o.ExternalID = "", ""
		}
	}
	cfg, err := awsconf.Load(ctx, awsconf.Options{
		Region: o.Region, Profile: o.Profile, AssumeRole: awsconf.AssumeRole{RoleARN: o.RoleARN, ExternalID: o.ExternalID},
		Version: env.Version, HTTPClient: env.HTTPClient, Endpoint: env.Endpoint, Credentials: env.Credentials,
	})
	if err != nil {
		return nil, ofFlags(o, err)
	}
	t, err := ekstoken.Make(ctx, cfg, o.ClusterName)
	if err != nil {
		return nil, awsconf.Classify("making a token", err)
	}
	return ekstoken.ExecCredential(t, env.Getenv("KUBERNETES_EXEC_INFO"))
}

// ofFlags words an error of the AWS configuration for who has no manifest.
func ofFlags(o cli.TokenOptions, err error) error {
	terminal, ok := errors.AsType[*fault.TerminalError](err)
	if !ok {
		return err
	}
	switch terminal.Reason {
	case "NoRegion":
		return fault.Terminal(terminal.Reason, errors.New("no AWS region: set --region, AWS_REGION in the environment, or region in the profile"))
	case "NoProfile":
		if o.Profile != "" {
			return fault.Terminal(terminal.Reason, fmt.Errorf("--profile %q does not exist in ~/.aws/config or ~/.aws/credentials: name another one, or add it", o.Profile))
		}
	case "InvalidRole":
		return fault.Terminal(terminal.Reason, fmt.Errorf("--role-arn %q is not a role's ARN; want arn:PARTITION:iam::ACCOUNT:role/NAME", o.RoleARN))
	}
	return err
}
