package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what `norikae version -o json` prints.
type version struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func (s *session) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  norikae version
  norikae version -o json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := version{s.deps.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			if s.json() {
				return s.printJSON(v)
			}
			return s.print(fmt.Appendf(nil, "norikae %s (%s, %s)\n", v.Version, v.Go, v.Platform))
		},
	}
}

func completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the completion script for bash, zsh, fish or powershell",
		Example: `  source <(norikae completion bash)
  norikae completion zsh > "${fpath[1]}/_norikae"
  norikae completion fish | source`,
		ValidArgs: shells,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)(cmd, args); err != nil {
				return hinted(fmt.Errorf("completion needs one shell: bash, zsh, fish or powershell, not %q", args), "For example `source <(norikae completion bash)`.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			default:
				return root.GenPowerShellCompletionWithDesc(out)
			}
		},
	}
}
