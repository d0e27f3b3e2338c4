package caddyaccess_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cfaccess/cfaccess/caddyaccess"
	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
)

// middleware is the caddyhttp.MiddlewareHandler of a func. Without next it is a
// net/http handler.
type middleware func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error

func (m middleware) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return m(w, r, next)
}

func last(handler http.HandlerFunc) middleware {
	return func(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
		handler(w, r)
		return nil
	}
}

// protect is the adapter, with the verifier of the suite.
func protect(app conformance.App) *caddyaccess.Handler {
	if app.Verifier == nil {
		panic("a configuration always has a verifier, so that this case has no meaning here")
	}
	skips := app.Skips
	if app.SkipPaths != nil {
		skips = core.SkipPaths(app.SkipPaths...)
	}
	return caddyaccess.NewHandler(app.Verifier, app.Rule, skips)
}

// require is what another plugin behind the adapter can do. The adapter has none of
// its own: in a Caddyfile a second cloudflare_access has the stricter rule.
func require(policies []core.Policy) middleware {
	policy := core.AllOf(policies...)
	return func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		if _, err := core.Require(r.Context(), policy); err != nil {
			core.Refuse(err).ServeHTTP(w, r)
			return nil
		}
		return next.ServeHTTP(w, r)
	}
}

// The requests go through Caddy's own servers and routes. What stands before and
// behind the adapter is written in Go.
func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T, app conformance.App) string {
		if app.HandlesErrors || app.Inner().HandlesErrors {
			t.Skip("a configuration can't hold an ErrorHandler")
		}
		whoami := last(func(w http.ResponseWriter, r *http.Request) {
			app.WhoAmI(w, r, func() (*core.Claims, bool) { return core.FromContext(r.Context()) })
			if r.MultipartForm != nil {
				_ = r.MultipartForm.RemoveAll() // Caddy copies each request, so a handler that parses forms does this
			}
		})
		fail := last(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, conformance.FailureMessage, conformance.FailureStatus)
		})
		crash := last(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		stream := last(func(w http.ResponseWriter, _ *http.Request) {
			app.Stream(w, http.NewResponseController(w).Flush)
		})
		outer, inner := protect(app), protect(app.Inner())
		outerRequire, innerRequire := require(app.Policies), require(app.Inner().Policies)
		var routes []object
		for path, handlers := range map[string][]caddyhttp.MiddlewareHandler{
			conformance.PathWhoAmI:        {outer, whoami},
			conformance.PathRequired:      {outer, outerRequire, whoami},
			conformance.PathRequireAlone:  {outerRequire, whoami},
			conformance.PathSkipped:       {outer, whoami},
			conformance.PathNested:        {outer, inner, innerRequire, whoami},
			conformance.PathNestedSkipped: {outer, inner, whoami},
			conformance.PathFailure:       {outer, fail},
			conformance.PathBareFailure:   {fail},
			conformance.PathPanic:         {outer, crash},
			conformance.PathBarePanic:     {crash},
			conformance.PathStream:        {outer, stream},
			conformance.PathUpgrade:       {outer, last(app.Upgrade)},
		} {
			var handle []object
			for i, handler := range handlers {
				name := fmt.Sprint(t.Name(), path, i)
				goHandlers.Store(name, handler)
				handle = append(handle, object{"handler": "go_test", "name": name})
			}
			routes = append(routes, object{"match": []object{{"path": []string{path}}}, "handle": handle})
		}
		// Without a route, Caddy answers with an empty 200.
		routes = append(routes, object{"handle": []object{{"handler": "static_response", "status_code": 404}}})
		return serve(t, app, routes)
	})
}

// serve runs a Caddy with these routes.
func serve(t *testing.T, app conformance.App, routes []object) (url string) {
	address := freeAddress(t)
	server := object{"listen": []string{address}, "routes": routes, "automatic_https": object{"disable": true}}
	if app.ShowsErrors { // a refusal is an answer, and no error that this would show
		server["errors"] = object{"routes": []object{{"handle": []object{
			{"handler": "static_response", "body": "{http.error} {http.error.message}"},
		}}}}
	}
	apps, scheme := object{"http": object{"servers": object{"test": server}}}, "http"
	if app.HTTP2 {
		scheme = "https"
		server["tls_connection_policies"] = []object{{}}
		certificate, key := certificate(t)
		apps["tls"] = object{"certificates": object{"load_pem": []object{{"certificate": certificate, "key": key}}}}
	}
	if err := runBeside(t, apps); err != nil {
		t.Fatal(err)
	}
	return scheme + "://" + address
}

// certificate returns the one that net/http/httptest has for 127.0.0.1.
func certificate(t *testing.T) (certificate, key string) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	var public, secret bytes.Buffer
	_ = pem.Encode(&public, &pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}) // a buffer never fails
	_ = pem.Encode(&secret, &pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return public.String(), secret.String()
}
