package ginaccess_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/ginaccess"
)

// A protected router with an admin group.
func Example() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{audience}, Endpoint: team.URL})
	if err != nil {
		panic(err)
	}

	router := gin.New()
	router.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok") })
	router.Use(ginaccess.New(verifier))
	router.GET("/", func(c *gin.Context) {
		claims, _ := ginaccess.Claims(c)
		c.String(http.StatusOK, "hello %s", claims.Email)
	})
	admin := router.Group("/admin", ginaccess.Require(core.EmailDomains("example.com")))
	admin.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "hello administrator") })

	visit := func(path, token string) {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set(core.TokenHeader, token)
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
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

// Groups are asked for at Access, and cached. A handler may ask the policy too,
// to show administrators more.
func Example_groups() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	team.SetGroups("ada@example.com", "engineering", "administrators")
	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{audience}, Endpoint: team.URL})
	if err != nil {
		panic(err)
	}
	list := func(c *gin.Context) {
		claims, _ := ginaccess.Claims(c)
		err := core.Groups("administrators")(c.Request.Context(), claims)
		if errors.Is(err, core.ErrPolicyUnavailable) {
			core.Refuse(err).ServeHTTP(c.Writer, c.Request) // Access can't be asked: this is not "no"
			return
		}
		isAdmin := err == nil
		c.String(http.StatusOK, "administrator: %t", isAdmin)
	}

	router := gin.New()
	router.Use(ginaccess.New(verifier))
	router.GET("/deployments", ginaccess.Require(core.Groups("engineering")), list)

	for _, email := range []string{"ada@example.com", "eve@example.com"} {
		r := httptest.NewRequest(http.MethodGet, "/deployments", nil)
		r.Header.Set(core.TokenHeader, team.SignUser(audience, email))
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 administrator: true
	// 403 {"type":"about:blank","title":"Forbidden","status":403,"detail":"You are signed in, but not allowed to do this.","code":"forbidden"}
}
