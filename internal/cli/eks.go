package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/fault"
)

// TokenOptions say for which cluster a token is, and as whom; what is empty is the
// environment's.
type TokenOptions struct {
	ClusterName              string
	Region, Profile, RoleARN string
	ExternalID               string // that the role asks for
}

const execLong = `Prints a token for the API server of an EKS cluster, as kubectl and other clients of
Kubernetes read it from the exec plugin that a kubeconfig names: an ExecCredential of
client.authentication.k8s.io/v1, or v1beta1 where the client asks for it
(KUBERNETES_EXEC_INFO). It takes the place of aws eks get-token, without the AWS CLI:

  users:
  - name: green
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: norikae
        args: [eks, get-token, --cluster-name, green, --region, eu-west-1]
        interactiveMode: Never

A token is a call of sts:GetCallerIdentity, signed for this cluster and not made. It is
good for 15 minutes, and should be kept as secret as a password for as long. AWS is called
for credentials alone: to assume the role, or as the profile says.`

// EKSCommand has the commands about one EKS cluster. token prints nothing: it returns what
// the client of Kubernetes is to read.
func EKSCommand(token func(context.Context, TokenOptions) ([]byte, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "eks",
		Short:   "Enter EKS clusters",
		Example: "  norikae eks get-token --cluster-name green",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var o TokenOptions
	get := &cobra.Command{
		Use:   "get-token --cluster-name NAME",
		Short: "Print a token for a cluster's API server, for kubeconfigs",
		Long:  execLong,
		Example: `  norikae eks get-token --cluster-name green --region eu-west-1
  norikae eks get-token --cluster-name green --role-arn arn:aws:iam::111122223333:role/deployer`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.ClusterName == "" {
				return usage("--cluster-name is missing: want the name of an EKS cluster")
			}
			if o.ExternalID != "" && o.RoleARN == "" {
				return usage("--external-id is of a role: add --role-arn, or leave it out")
			}
			if n := len(o.ExternalID); o.ExternalID != "" && (n < 2 || n > 1224) {
				return usage("--external-id has %d characters; want 2–1224", n)
			}
			out, err := token(cmd.Context(), o)
			if errors.Is(err, fault.ErrDenied) {
				return hinted(err, "Check --profile and --role-arn, and who you are with `aws sts get-caller-identity`.")
			}
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(out)
			return err
		},
	}
	f := get.Flags()
	f.StringVar(&o.ClusterName, "cluster-name", "", "`name` of the cluster in EKS")
	f.StringVar(&o.Region, "region", "", "the cluster's `region` (default: the environment's or the profile's)")
	f.StringVar(&o.Profile, "profile", "", "`profile` of the AWS configuration files (default: AWS_PROFILE)")
	f.StringVar(&o.RoleARN, "role-arn", "", "`ARN` of a role to assume")
	f.StringVar(&o.ExternalID, "external-id", "", "external `ID` that the role of --role-arn asks for")
	cmd.AddCommand(get)
	return cmd
}
