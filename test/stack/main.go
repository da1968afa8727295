// Command norikae-stack runs the nodes of the lab's clusters on this machine: real
// kubelets, whose pods are processes.
package main

import (
	"fmt"
	"os"

	"k8s.io/component-base/cli"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"

	"github.com/norikae/norikae/test/stack/container"
)

// idleVar makes this program stand for an agent, see the images.
const idleVar = "NORIKAE_STACK_IDLE"

func main() {
	if len(os.Args) == 2 && os.Args[1] == container.InitArg {
		fmt.Fprintln(os.Stderr, container.Init())
		os.Exit(127)
	}
	if os.Getenv(idleVar) != "" {
		os.Args = []string{os.Args[0], "idle"} // whatever arguments the agent would have
	}
	if len(os.Args) > 1 && os.Args[1] == "kube-proxy" {
		os.Args = os.Args[1:]
		os.Exit(cli.Run(proxy.NewProxyCommand()))
	}
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "norikae-stack:", err)
		os.Exit(1)
	}
}
