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

// Run serves until ctx ends: a proxy if the applications have upstreams, otherwise
// forward authentication. SIGHUP loads the configuration again.
func Run(ctx context.Context, o Options) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	config, err := o.Load()
	if err != nil {
		return err
	}
	g, err := New(ctx, config, o.Logger)
	if err != nil {
		return err
	}
	defer g.Close()
	var serving sync.WaitGroup
	serve := func(address string, handler http.Handler) {
		listener, err := server.Listen(address)
		if err != nil {
			cancel(err)
			return
		}
		o.Logger.Info("listening", slog.String("address", listener.Addr().String()))
		if !server.IsLoopback(address) {
			o.Logger.Warn("other machines can reach this address, and only the proxy should", slog.String("address", address))
		}
		serving.Go(func() { cancel(server.Serve(ctx, listener, handler, o.Logger)) }) // the other ends too
	}
	if !config.isProxy() {
		serve(o.Addr, g.Authorize())
	} else if serve(o.Addr, g.Proxy()); o.MetricsAddr != "" {
		serve(o.MetricsAddr, g.Operations())
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-hangup:
			if config, err = o.Load(); err == nil {
				err = g.use(ctx, config)
			}
			if err != nil {
				o.Logger.Error("the old configuration stays in use", slog.Any("error", err))
			} else {
				o.Logger.Info("reloaded the configuration")
			}
		}
	}
	serving.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
