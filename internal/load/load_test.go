package load

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// server answers with a status, and counts connections.
func server(t *testing.T, status int) (url string, connections *atomic.Int64) {
	t.Helper()
	connections = new(atomic.Int64)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "hello") // the client counts what it did not get
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL, connections
}

func TestEveryRequestIsCountedByItsEnd(t *testing.T) {
	good, _ := server(t, http.StatusAccepted)
	strange, _ := server(t, http.StatusMethodNotAllowed)
	bad, _ := server(t, http.StatusBadGateway)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for url, want := range map[string]Counts{
		good:     {Sent: 40, OK: 40},
		strange:  {Sent: 40, ClientErrors: 40},
		bad:      {Sent: 40, ServerErrors: 40},
		gone.URL: {Sent: 40, Lost: 40},
	} {
		if got := Start(Config{URL: url, Total: 40}).Wait(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

func TestConnectionsAreKeptUnlessNewOnesAreWanted(t *testing.T) {
	url, connections := server(t, http.StatusOK)
	Start(Config{URL: url, Total: 60, Workers: 3}).Wait()
	if n := connections.Swap(0); n < 1 || n > 3 {
		t.Errorf("3 workers made %d connections", n)
	}
	Start(Config{URL: url, Total: 60, Workers: 3, NewConnections: true}).Wait()
	if n := connections.Load(); n != 60 {
		t.Errorf("%d connections for 60 requests", n)
	}
}

func TestANameServerThatIsNotThereLosesRequests(t *testing.T) {
	url, _ := server(t, http.StatusOK)
	_, port, err := net.SplitHostPort(url[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	closed := func() string {
		ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ln.Close() }() // nobody is to answer there
		return ln.Addr().String()
	}()
	if got := Start(Config{URL: "http://api.example.com:" + port, Total: 2, NameServer: closed}).Wait(); got.Lost != 2 {
		t.Errorf("%+v, want all lost", got)
	}
}

func TestTheRateHolds(t *testing.T) {
	url, _ := server(t, http.StatusOK)
	begin := time.Now()
	if got := Start(Config{URL: url, Rate: 100, Total: 51}).Wait(); got.OK != 51 || time.Since(begin) < 490*time.Millisecond {
		t.Errorf("%+v after %v", got, time.Since(begin))
	}
}
