package gate

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

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
			g.answer(w, r, original{r.Method, r.Host, target}, statuses{400, 403, 400})
		case r.URL.Path == "/auth/nginx":
			g.answer(w, r, readOriginal(r.Header, "X-Original-Method", "X-Original-Host", "X-Original-Uri"), statuses{500, 403, 403})
		case r.URL.Path == "/auth/traefik", r.URL.Path == "/auth/caddy":
			g.answer(w, r, readOriginal(r.Header, "X-Forwarded-Method", "X-Forwarded-Host", "X-Forwarded-Uri"), statuses{400, 403, 400})
		default:
			operations.ServeHTTP(w, r)
		}
	})
}

// readOriginal leaves empty what doesn't come exactly once.
func readOriginal(h http.Header, method, host, target string) original {
	once := func(name string) string {
		if values := h[name]; len(values) == 1 {
			return values[0]
		}
		return ""
	}
	return original{once(method), once(host), once(target)}
}

// answer tells a proxy the decision, and who the caller is.
func (g *Gate) answer(w http.ResponseWriter, r *http.Request, o original, s statuses) {
	began := time.Now()
	d := g.decide(r.Context(), r.Header, o, s)
	g.log(r.Context(), o, d, began)
	if d.refusal != nil {
		d.refusal.ServeHTTP(w, r)
		return
	}
	setIdentity(r.Context(), w.Header(), d.config.IdentityHeaders, d.claims)
	w.Header()["Cache-Control"] = []string{"no-store"}
}

// Proxy passes requests on to the upstreams of their applications.
func (g *Gate) Proxy() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, o := time.Now(), original{r.Method, r.Host, r.RequestURI}
		d := g.decide(r.Context(), r.Header, o, statuses{400, http.StatusMisdirectedRequest, 400})
		g.log(r.Context(), o, d, began)
		if d.refusal != nil {
			d.refusal.ServeHTTP(w, r)
			return
		}
		d.app.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), decisionKey{}, d)))
	})
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

// log writes a line without token and query, which may hold a secret.
func (g *Gate) log(ctx context.Context, o original, d decision, began time.Time) {
	level, path, outcome, status, email, reason := slog.LevelInfo, o.target, "public", http.StatusOK, "", ""
	path, _, _ = strings.Cut(path, "?")
	var err error
	switch {
	case d.refusal != nil:
		outcome, status, reason, err = "refused", d.refusal.Status, d.refusal.Code, d.refusal.Unwrap()
	case d.claims != nil:
		outcome, email = "allowed", d.claims.Email+d.claims.CommonName
	}
	if reason == "proxy_misconfigured" {
		level = slog.LevelError
	}
	g.logger.LogAttrs(ctx, level, "decision", slog.String("outcome", outcome), slog.Int("status", status), slog.String("reason", reason),
		slog.String("host", shorten(o.host)), slog.String("method", o.method), slog.String("path", shorten(path)),
		slog.Duration("duration", time.Since(began)), slog.String("email", email), slog.Any("error", err))
}

// shorten bounds what a client can write into the log.
func shorten(s string) string { return s[:min(len(s), 500)] }
