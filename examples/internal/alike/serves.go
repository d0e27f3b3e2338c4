package alike

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"
)

// Serves checks the serve function of an example. It is called with a server
// whose GET / calls wait and then answers "done".
func Serves(t *testing.T, serve func(ctx context.Context, listener net.Listener, wait func()) error) {
	t.Run("requests under way are answered", func(t *testing.T) {
		arrived, release := make(chan struct{}), make(chan struct{})
		listener := listen(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		served := make(chan error, 1)
		go func() { served <- serve(ctx, listener, func() { close(arrived); <-release }) }()
		type result struct {
			answer
			err error
		}
		answered := make(chan result, 1)
		go func() {
			got, err := send(http.MethodGet, "http://"+listener.Addr().String(), nil)
			answered <- result{got, err}
		}()

		<-arrived
		cancel()
		awaitClosed(t, listener.Addr().String())
		select {
		case err := <-served:
			t.Fatalf("serve returned %v with a request under way", err)
		default:
		}
		close(release)
		if got := <-answered; got.err != nil || got.body != "done" {
			t.Errorf("got %v, %v, want done", got.answer, got.err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve returned %v, want nil", err)
		}
	})
	t.Run("broken listener", func(t *testing.T) {
		listener := listen(t)
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		if err := serve(t.Context(), listener, func() {}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, want %v", err, net.ErrClosed)
		}
	})
}

// awaitClosed returns once nothing listens on addr.
func awaitClosed(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		connection, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		_ = connection.Close()
	}
	t.Fatalf("%s still listens", addr)
}
