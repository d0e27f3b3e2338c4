package gate

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
	"github.com/cfaccess/cfaccess/core"
)

// Options say how the gate runs.
type Options struct {
	Addr        string // TCP address, or unix:PATH
	MetricsAddr string // for Operations alone; empty: none
	Load        func() (*Config, error)
	Logger      *slog.Logger
}

// Run serves until ctx ends: a proxy if the applications have upstreams, otherwise
// forward authentication. SIGHUP loads the configuration again.
func Run(ctx context.Context, o Options) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	config, err := o.Load()
	if err != nil {
		return err
	}
	g, err := New(config, o.Logger)
	if err != nil {
		return err
	}
	work, ctx := errgroup.WithContext(ctx) // if one fails, all end
	serve := func(address string, handler http.Handler) {
		listener, err := server.Listen(address)
		if err != nil {
			work.Go(func() error { return err })
			return
		}
		o.Logger.Info("listening", slog.String("address", listener.Addr().String()))
		if !server.IsLoopback(address) {
			o.Logger.Warn("other machines can reach this address, and only the proxy should", slog.String("address", address))
		}
		work.Go(func() error { return server.Serve(ctx, listener, handler, o.Logger) })
	}
	handler := g.Authorize()
	if config.isProxy() {
		handler = g.Proxy()
	}
	if serve(o.Addr, handler); o.MetricsAddr != "" {
		serve(o.MetricsAddr, g.Operations())
	}
	work.Go(func() error {
		for delay := time.Second; ; delay = min(2*delay, time.Minute) {
			for v := g.missing(); v != nil && ctx.Err() == nil && v.Refresh(ctx) == nil; v = g.missing() {
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(delay):
				continue
			case <-hangup:
			}
			config, err := o.Load()
			if err == nil {
				err = g.use(config)
			}
			if err != nil {
				o.Logger.Error("the old configuration stays in use", slog.Any("error", err))
			} else {
				o.Logger.Info("reloaded the configuration")
			}
		}
	})
	return work.Wait()
}

// Operations serves /healthz, /readyz and /metrics. The gate is ready when every
// application has had keys.
func (g *Gate) Operations() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if g.missing() != nil {
			http.Error(w, "the signing keys are not known yet", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.registry, promhttp.HandlerOpts{}))
	return mux
}

// Authorize serves forward authentication below /auth/, and Operations. nginx takes
// 401 and 403 for a refusal and makes 500 of others. The other proxies send the
// refusal to the client. Envoy sends the original request itself, behind a prefix.
func (g *Gate) Authorize() http.Handler {
	operations := g.Operations()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch target, isEnvoy := strings.CutPrefix(r.RequestURI, "/auth/envoy"); {
		case isEnvoy && strings.HasPrefix(target, "/"):
			g.answer(w, r, original{r.Method, r.Host, target})
		case r.URL.Path == "/auth/nginx":
			g.answer(w, r, readOriginal(r.Header, "X-Original-"))
		case r.URL.Path == "/auth/traefik", r.URL.Path == "/auth/caddy":
			g.answer(w, r, readOriginal(r.Header, "X-Forwarded-"))
		default:
			operations.ServeHTTP(w, r)
		}
	})
}

// readOriginal returns nothing unless all three fields come exactly once.
func readOriginal(h http.Header, prefix string) (o original) {
	methods, hosts, targets := h[prefix+"Method"], h[prefix+"Host"], h[prefix+"Uri"]
	if len(methods) == 1 && len(hosts) == 1 && len(targets) == 1 && methods[0] != "" && hosts[0] != "" {
		o = original{methods[0], hosts[0], targets[0]}
	}
	return o
}

// answer tells a proxy the decision, and who the caller is.
func (g *Gate) answer(w http.ResponseWriter, r *http.Request, o original) {
	if app, claims := g.admit(w, r, o); app != nil {
		// Families that aren't chosen are empty: Caddy copies a placeholder if a header is missing.
		setIdentity(r.Context(), w.Header(), families(), nil)
		setIdentity(r.Context(), w.Header(), app.config.IdentityHeaders, claims)
		w.Header()["Cache-Control"] = []string{"no-store"}
	}
}

// Proxy passes requests on to the upstreams of their applications.
func (g *Gate) Proxy() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if app, claims := g.admit(w, r, original{r.Method, r.Host, r.RequestURI}); app != nil {
			app.proxy.ServeHTTP(w, r.WithContext(core.NewContext(r.Context(), claims)))
		}
	})
}

// forward edits the request to an upstream. Its context has the claims of Proxy.
func (c *Config) forward(r *httputil.ProxyRequest) {
	removeIdentity(r.Out.Header, c.ForwardToken)
	r.Out.Trailer = nil // some servers read trailers as headers
	if claims, ok := core.FromContext(r.In.Context()); ok {
		setIdentity(r.In.Context(), r.Out.Header, c.IdentityHeaders, claims)
	}
}

// admit decides, and writes a line in the log, without the token and the query,
// which may hold a secret. It answers a refusal, and returns no application then.
func (g *Gate) admit(w http.ResponseWriter, r *http.Request, o original) (*Application, *core.Claims) {
	began := time.Now()
	app, claims, refusal := g.decide(r.Context(), r.Header, o)
	level, outcome, email, reported := slog.LevelInfo, "public", "", &core.Refusal{Status: http.StatusOK}
	switch {
	case refusal != nil:
		outcome, reported = "refused", refusal
		if refusal.Code == misconfigured {
			level = slog.LevelError
		}
	case claims != nil:
		outcome, email = "allowed", claims.Email+claims.CommonName
	}
	path, _, _ := strings.Cut(o.target, "?")
	shorten := func(s string) string { return s[:min(len(s), 500)] } // a client chooses it
	g.logger.LogAttrs(r.Context(), level, "decision", slog.String("outcome", outcome), slog.Int("status", reported.Status),
		slog.String("reason", reported.Code), slog.String("host", shorten(o.host)), slog.String("method", shorten(o.method)),
		slog.String("path", shorten(path)), slog.Duration("duration", time.Since(began)), slog.String("email", email),
		slog.Any("error", reported.Unwrap()))
	if refusal != nil {
		refusal.ServeHTTP(w, r)
	}
	return app, claims
}
