package fiberaccess_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/fiberaccess"
)

// emails returns every value of the email header in any spelling.
func emails(c *fiber.Ctx) (values []string) {
	for name, sent := range c.GetReqHeaders() {
		if core.IsEmailHeader(name) {
			values = append(values, sent...)
		}
	}
	return values
}

// The README says that neither is supported: these tests show why. If one of
// them fails, fiber's adaptor has changed, and the README may have to.

// adaptor.HTTPMiddleware copies the request's headers back after a middleware of
// net/http, but deletes none: what core.Forward removes survives.
func TestAdaptorHTTPMiddlewareKeepsForgedHeaders(t *testing.T) {
	v, team := newVerifier(t)
	protect := func(next http.Handler) http.Handler { // as stdaccess.New
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			claims, err := v.Admit(r.Context(), r.Header, core.Rule{Optional: true})
			r = core.Forward(r, claims)
			if err != nil {
				core.Refuse(err).ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	app := fiber.New()
	app.Use(adaptor.HTTPMiddleware(protect))
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString(strings.Join(emails(c), ",")) })
	user, service := team.SignUser(audience, "ada@example.com"), team.SignService(audience, "ci-bot")
	for name, test := range map[string]struct{ token, header, want string }{
		"person":                 {user, core.EmailHeader, "ada@example.com"},
		"service":                {service, core.EmailHeader, "root@example.com"},
		"anonymous":              {"", core.EmailHeader, "root@example.com"},
		"person, other spelling": {user, "Cf_access_authenticated_user_email", "ada@example.com,root@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set(test.header, "root@example.com")
			if test.token != "" {
				r.Header.Set(core.TokenHeader, test.token)
			}
			response, err := app.Test(r, -1)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, _ := io.ReadAll(response.Body)
			got := strings.Split(string(body), ",")
			slices.Sort(got)
			if response.StatusCode != fiber.StatusOK || strings.Join(got, ",") != test.want {
				t.Errorf("got %d %s, want %s", response.StatusCode, body, test.want)
			}
		})
	}
}

// adaptor.FiberApp keeps the last of several values: of two tokens one is left,
// which decides, where a server of fiber's own refuses both.
func TestAdaptorFiberAppDropsValues(t *testing.T) {
	v, team := newVerifier(t)
	app := fiber.New()
	app.Use(fiberaccess.New(v))
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString(strings.Join(emails(c), ",")) })
	ada, eve := team.SignUser(audience, "ada@example.com"), team.SignUser(audience, "eve@example.com")
	for name, test := range map[string]struct {
		header http.Header
		status int
		body   string
	}{
		"two tokens":     {http.Header{core.TokenHeader: {ada, eve}}, 200, "eve@example.com"},
		"forged first":   {http.Header{core.TokenHeader: {"x", ada}}, 200, "ada@example.com"},
		"a forged email": {http.Header{core.TokenHeader: {ada}, core.EmailHeader: {"root@example.com"}}, 200, "ada@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			maps.Copy(r.Header, test.header)
			w := httptest.NewRecorder()
			adaptor.FiberApp(app)(w, r)
			if w.Code != test.status || w.Body.String() != test.body {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, test.status, test.body)
			}
		})
	}
}
