package echoaccess_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/labstack/echo/v4"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/echoaccess"
)

// A protected group, and in it one for some people only.
func Example() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{audience}, Endpoint: team.URL})
	if err != nil {
		panic(err)
	}

	e := echo.New()
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok") })
	protected := e.Group("", echoaccess.New(verifier))
	protected.GET("/", func(c echo.Context) error {
		claims, _ := echoaccess.Claims(c)
		return c.String(http.StatusOK, "hello "+claims.Email)
	})
	admin := protected.Group("/admin", echoaccess.Require(core.EmailDomains("example.com")))
	admin.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "hello administrator") })

	visit := func(path, token string) {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set(core.TokenHeader, token)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	visit("/healthz", "")
	visit("/", team.SignUser(audience, "ada@example.com"))
	visit("/admin/", team.SignUser(audience, "ada@example.com"))
	visit("/admin/", team.SignUser(audience, "eve@elsewhere.example"))
	// Output:
	// 200 ok
	// 200 hello ada@example.com
	// 200 hello administrator
	// 403 {"type":"about:blank","title":"Forbidden","status":403,"detail":"You are signed in, but not allowed to do this.","code":"forbidden"}
}
