package app

import (
	"os"
	"testing"

	"github.com/norikae/norikae/internal/kubetest"
)

// kubernetes is a real API server, started by the first test that asks.
var kubernetes kubetest.Server

func TestMain(m *testing.M) { os.Exit(kubernetes.Main(m)) }
