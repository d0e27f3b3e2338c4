package gate

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
)

// Options say how the gate runs.
type Options struct {
	Addr        string // TCP address, or unix:PATH
	MetricsAddr string // for Operations next to a proxy; empty: none
	Load        func() (*Config, error)
	Logger      *slog.Logger
}

// Run serves until ctx ends: a proxy if the applications have upstreams, and
// forward authentication if not. SIGHUP reloads the configuration.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)

	g, err := New(ctx, o.Logger, o.Load)
	if err != nil {
		return err
	}
	defer g.Close()
	type endpoint struct {
		address string
		handler http.Handler
	}
	endpoints := []endpoint{{o.Addr, g.Authorize()}}
	if g.site.Load().config.IsProxy() {
		endpoints = []endpoint{{o.Addr, g.Proxy()}, {o.MetricsAddr, g.Operations()}}
		if o.MetricsAddr == "" {
			endpoints = endpoints[:1]
		}
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	ended := make(chan error, len(endpoints))
	for _, e := range endpoints {
		listener, err := server.Listen(e.address)
		if err != nil {
			cancel()
			return err
		}
		if !server.IsLoopback(e.address) {
			o.Logger.Warn("other machines can reach the gate: only the proxy should", slog.String("address", e.address))
		}
		o.Logger.Info("listening", slog.String("address", listener.Addr().String()))
		serving.Go(func() {
			defer cancel() // without one of them the other is of no use
			ended <- server.Serve(ctx, listener, e.handler, o.Logger)
		})
	}
	for {
		select {
		case <-ctx.Done():
			var all error
			for range endpoints {
				all = errors.Join(all, <-ended)
			}
			return all
		case <-hangup:
			if err := g.Reload(ctx); err != nil {
				o.Logger.Error("reload failed, the old configuration stays in use", slog.Any("error", err))
			} else {
				o.Logger.Info("reloaded the configuration")
			}
		}
	}
}
