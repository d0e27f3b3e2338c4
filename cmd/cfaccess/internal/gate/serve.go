package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

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
	for {
		select {
		case <-ctx.Done():
			serving.Wait()
			if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
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
}

// Operations serves /healthz, /readyz and /metrics. The gate is ready when every
// application has had keys.
func (g *Gate) Operations() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		for _, v := range g.config.Load().verifiers {
			if !hasKeys(v.Verifier) {
				http.Error(w, "the signing keys are not known yet", http.StatusServiceUnavailable)
				return
			}
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
			g.answer(w, r, original{r.Method, r.Host, target}, statuses{0, 403, 400})
		case r.URL.Path == "/auth/nginx":
			g.answer(w, r, readOriginal(r.Header, "X-Original-"), statuses{500, 403, 403})
		case r.URL.Path == "/auth/traefik", r.URL.Path == "/auth/caddy":
			g.answer(w, r, readOriginal(r.Header, "X-Forwarded-"), statuses{400, 403, 400})
		default:
			operations.ServeHTTP(w, r)
		}
	})
}

// readOriginal leaves empty what doesn't come exactly once.
func readOriginal(h http.Header, prefix string) original {
	once := func(name string) string {
		if values := h[prefix+name]; len(values) == 1 {
			return values[0]
		}
		return ""
	}
	return original{once("Method"), once("Host"), once("Uri")}
}

// answer tells a proxy the decision, and who the caller is.
func (g *Gate) answer(w http.ResponseWriter, r *http.Request, o original, s statuses) {
	if d, ok := g.admit(w, r, o, s); ok {
		// Families that aren't chosen are empty: Caddy copies a placeholder if a header is missing.
		setIdentity(r.Context(), w.Header(), []string{"cf-access", "x-auth-request", "remote"}, nil)
		setIdentity(r.Context(), w.Header(), d.config.IdentityHeaders, d.claims)
		w.Header()["Cache-Control"] = []string{"no-store"}
	}
}

// Proxy passes requests on to the upstreams of their applications.
func (g *Gate) Proxy() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d, ok := g.admit(w, r, original{r.Method, r.Host, r.RequestURI}, statuses{0, http.StatusMisdirectedRequest, 400}); ok {
			d.app.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), decisionKey{}, d)))
		}
	})
}

// admit logs the decision, and answers if it is a refusal.
func (g *Gate) admit(w http.ResponseWriter, r *http.Request, o original, s statuses) (decision, bool) {
	began := time.Now()
	d := g.decide(r.Context(), r.Header, o, s)
	g.log(r.Context(), o, d, began)
	if d.refusal != nil {
		d.refusal.ServeHTTP(w, r)
	}
	return d, d.refusal == nil
}

// decisionKey is where Proxy stores the decision for forward.
type decisionKey struct{}

// forward edits the request to an upstream.
func forward(r *httputil.ProxyRequest) {
	d, _ := r.In.Context().Value(decisionKey{}).(decision)
	removeIdentity(r.Out.Header, d.config.ForwardToken)
	r.Out.Trailer = nil // some servers read trailers as headers
	if d.claims != nil {
		setIdentity(r.In.Context(), r.Out.Header, d.config.IdentityHeaders, d.claims)
	}
}

// log writes a line, without the token and the query, which may hold a secret.
func (g *Gate) log(ctx context.Context, o original, d decision, began time.Time) {
	level, outcome, status, reason, email, err := slog.LevelInfo, "public", http.StatusOK, "", "", error(nil)
	if d.claims != nil {
		outcome, email = "allowed", d.claims.Email+d.claims.CommonName
	}
	if d.refusal != nil {
		outcome, status, reason, err = "refused", d.refusal.Status, d.refusal.Code, d.refusal.Unwrap()
	}
	if reason == misconfigured {
		level = slog.LevelError
	}
	path, _, _ := strings.Cut(o.target, "?")
	shorten := func(s string) string { return s[:min(len(s), 500)] } // a client chooses it
	g.logger.LogAttrs(ctx, level, "decision", slog.String("outcome", outcome), slog.Int("status", status), slog.String("reason", reason),
		slog.String("host", shorten(o.host)), slog.String("method", shorten(o.method)), slog.String("path", shorten(path)),
		slog.Duration("duration", time.Since(began)), slog.String("email", email), slog.Any("error", err))
}
