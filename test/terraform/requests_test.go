package terraform

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

// requests sends requests for any host at a steady rate, each once, until stop, which
// returns what was counted. POST without an Idempotency-Key is never sent twice.
func (l *lab) requests(t *testing.T, host string, rate int) (stop func() counts) {
	t.Helper()
	return l.send(t, &http.Client{Timeout: 30 * time.Second}, l.URL, host, rate)
}

// send requests to an address until stop.
func (l *lab) send(t *testing.T, client *http.Client, address, host string, rate int) (stop func() counts) {
	t.Helper()
	_ = l.ask(t, http.MethodPost, "reset-counters", "{}").Close()
	var (
		c        counts
		mu       sync.Mutex
		inFlight sync.WaitGroup
		end      = make(chan struct{})
		ended    = make(chan struct{})
	)
	one := func() {
		status := 0
		req, err := http.NewRequest(http.MethodPost, address, http.NoBody) //nolint:noctx // the client's timeout bounds it
		if err == nil {
			req.Host = host
			var resp *http.Response
			if resp, err = client.Do(req); err == nil {
				status, err = resp.StatusCode, resp.Body.Close()
			}
		}
		mu.Lock()
		defer mu.Unlock()
		switch c.Sent++; {
		case err != nil:
			c.Lost++
			if c.Why == "" {
				c.Why = time.Now().Format(time.StampMilli) + " " + err.Error()
			}
		case status >= http.StatusInternalServerError:
			c.ServerErrors++
		default:
			c.OK++
		}
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				inFlight.Go(one)
			}
		}
	}()
	return func() counts {
		t.Helper()
		close(end)
		<-ended
		inFlight.Wait()
		l.counted(t, &c)
		return c
	}
}
