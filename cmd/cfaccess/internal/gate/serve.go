package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cfaccess/cfaccess/core"
)

// Operations serves /healthz, /readyz and /metrics.
func (g *Gate) Operations() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !g.isReady() {
			http.Error(w, "the signing keys are not known yet", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.registry, promhttp.HandlerOpts{}))
	return mux
}

// statuses are the answers to requests about which nobody can decide, as a proxy
// understands them.
type statuses struct{ host, path, original int }

// Authorize serves forward authentication below /auth/, and Operations.
//
// nginx takes 401 and 403 for a refusal, and makes 500 of everything else but 2xx.
// The others send a refusal's status and body to the client. Envoy allows with 200
// only, and sends the original request itself, behind its path prefix.
func (g *Gate) Authorize() http.Handler {
	operations := g.Operations()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch target, isEnvoy := strings.CutPrefix(r.RequestURI, "/auth/envoy"); {
		case isEnvoy && strings.HasPrefix(target, "/"):
			g.answer(w, r, original{r.Method, r.Host, target}, statuses{host: 403, path: 400})
		case r.URL.Path == "/auth/nginx":
			g.answer(w, r, headerOriginal(r.Header, "X-Original-Method", "X-Original-Host", "X-Original-Uri"), statuses{403, 403, 500})
		case r.URL.Path == "/auth/traefik", r.URL.Path == "/auth/caddy":
			g.answer(w, r, headerOriginal(r.Header, "X-Forwarded-Method", "X-Forwarded-Host", "X-Forwarded-Uri"), statuses{403, 400, 400})
		default:
			operations.ServeHTTP(w, r)
		}
	})
}

// headerOriginal returns the request that a proxy describes in headers. A field
// that doesn't come exactly once is empty.
func headerOriginal(h http.Header, method, host, target string) original {
	once := func(name string) string {
		if values := h[name]; len(values) == 1 {
			return values[0]
		}
		return ""
	}
	return original{once(method), once(host), once(target)}
}

// answer tells a proxy the decision, and an allowed caller's identity.
func (g *Gate) answer(w http.ResponseWriter, r *http.Request, o original, s statuses) {
	began := time.Now()
	var d decision
	if o.method == "" || o.host == "" || o.target == "" {
		d.err = fmt.Errorf("%w: %s wants its method, host and URI in one header each", errOriginal, r.URL.Path)
	} else {
		d = g.decide(r.Context(), r.Header, o)
	}
	if d.err != nil {
		g.refuse(w, r, o, d, s, began)
		return
	}
	setIdentity(r.Context(), w.Header(), d.site.config.families(), d.claims)
	w.Header()["Cache-Control"] = []string{"no-store"}
	g.log(r.Context(), o, d, 200, "", began)
	w.WriteHeader(http.StatusOK)
}

// Proxy passes allowed requests to the upstreams of their applications.
func (g *Gate) Proxy() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, o := time.Now(), original{r.Method, r.Host, r.RequestURI}
		d := g.decide(r.Context(), r.Header, o)
		if d.err != nil {
			g.refuse(w, r, o, d, statuses{host: http.StatusMisdirectedRequest, path: 400}, began)
			return
		}
		g.log(r.Context(), o, d, 0, "", began)
		d.app.upstream.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), decisionKey{}, d)))
	})
}

// refuse answers a refusal with a problem document.
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, o original, d decision, s statuses, began time.Time) {
	refusal := core.Refuse(d.err)
	problem := func(status int, code, detail string) {
		refusal.Status, refusal.Title, refusal.Code, refusal.Detail = status, http.StatusText(status), code, detail
	}
	switch {
	case errors.Is(d.err, errHost):
		problem(s.host, "host_unknown", "Nothing is served under this host name.")
	case errors.Is(d.err, errPath):
		problem(s.path, "path_invalid", "The path is not in normal form.")
	case errors.Is(d.err, errOriginal):
		problem(s.original, "proxy_misconfigured", "The proxy in front of this server is not set up correctly.")
	}
	g.log(r.Context(), o, d, refusal.Status, refusal.Code, began)
	refusal.ServeHTTP(w, r)
}

// log writes the line of a decision: never a query, since it may hold a secret, and
// never a token. A status of 0 is left to the upstream.
func (g *Gate) log(ctx context.Context, o original, d decision, status int, code string, began time.Time) {
	level, outcome, caller := slog.LevelInfo, "allowed", d.claims
	switch refused, _ := errors.AsType[*callerError](d.err); {
	case refused != nil:
		outcome, caller = "refused", refused.caller
	case d.err != nil:
		outcome = "refused"
	case d.claims == nil:
		outcome = "public"
	}
	if errors.Is(d.err, errOriginal) {
		level = slog.LevelError
	}
	path, _, _ := strings.Cut(o.target, "?")
	attributes := append(make([]slog.Attr, 0, 10),
		slog.String("outcome", outcome), slog.String("method", shorten(o.method)), slog.String("host", shorten(o.host)),
		slog.String("path", shorten(path)), slog.Duration("duration", time.Since(began)))
	if status != 0 {
		attributes = append(attributes, slog.Int("status", status))
	}
	if d.err != nil {
		attributes = append(attributes, slog.String("reason", code), slog.Any("error", d.err))
	}
	if caller != nil {
		attributes = append(attributes, slog.String("email", caller.Email), slog.String("service", caller.CommonName))
	}
	g.logger.LogAttrs(ctx, level, "decision", attributes...)
}

// shorten bounds what a client can write into the log.
func shorten(s string) string { return s[:min(len(s), 500)] }
