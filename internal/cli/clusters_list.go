package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (c *clustersCommand) listCommand() *cobra.Command {
	var all, notInOrder bool
	cmd := &cobra.Command{
		Use:   "list [NAME]",
		Short: "List the clusters that a ClusterSet selects, and the Secrets that it has",
		Long: `List shows every cluster that the ClusterSet selects and every Secret that it has, with
the state of each; New is one that a sync would register. It writes nothing, and exits with
0 whatever it finds. SINCE is how long a cluster has been missing or not selected any more,
as its Secret says. TO DO is what a sync would do with its Secret: create, update, adopt,
replace, delete, or mark, which notes in it since when the cluster is missing or not
selected.

With -o json or yaml: clusterSets[] has namespace, name, argocdNamespace, stopped,
stoppedReason, counts (discovered, registered, notInOrder), scopes[] (account, region,
roleARN, listed, error) and clusters[] (arn, name, account, region, version, eksStatus,
state, reason, message, secret, argocdName, server, missingSince, unselectedSince, action,
effect), and with --all others[] (secret, owner, argocdName, server). Fields are added,
never renamed.`,
		Example: `  norikae clusters list -f clusterset.yaml
  norikae clusters list production -n argocd --not-in-order
  norikae clusters list -f clusterset.yaml -o json | jq -r '.clusterSets[].clusters[] | select(.state == "Missing") | .arn'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fleets, err := c.open(cmd)
			if err != nil {
				return err
			}
			seen, err := c.look(cmd.Context(), fleets)
			if err != nil {
				return err
			}
			out := clustersView{ClusterSets: []setView{}}
			for _, l := range seen {
				v := viewOf(l)
				if all {
					v.Others = others(l)
				}
				if notInOrder {
					v.Clusters = slices.DeleteFunc(v.Clusters, clusterView.inOrder)
				}
				out.ClusterSets = append(out.ClusterSets, v)
			}
			if c.forPrograms() {
				return c.printData(out)
			}
			return c.print([]byte(listText(out, c.output == outputWide, time.Now())))
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "list the cluster Secrets of others, too")
	cmd.Flags().BoolVar(&notInOrder, "not-in-order", false, "list only clusters that are not in order")
	c.oneName(cmd)
	return cmd
}

func listText(v clustersView, wide bool, now time.Time) string {
	var parts []string
	for _, s := range v.ClusterSets {
		parts = append(parts, setText(s, wide, now))
	}
	return strings.Join(parts, "\n")
}
