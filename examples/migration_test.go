package examples_test

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/echoaccess"
	"github.com/cfaccess/cfaccess/fiberaccess"
	"github.com/cfaccess/cfaccess/ginaccess"
	"github.com/cfaccess/cfaccess/stdaccess"
)

// The code of docs/comparison.md to migrate to. Without an output, these
// examples are compiled and not run.

func Example_fromEnv() {
	verifier, err := core.FromEnv(context.Background()) // TEAM_DOMAIN, POLICY_AUD
	_, _ = verifier, err
}

func Example_fromGoSample() {
	var verifier *core.Verifier
	var app http.Handler

	http.Handle("/", stdaccess.New(verifier)(app))
}

func Example_fromFlask() {
	var verifier *core.Verifier
	var reports http.HandlerFunc
	mux := http.NewServeMux()

	protect := stdaccess.New(verifier)
	mux.Handle("/reports", protect(http.HandlerFunc(reports)))
}

func Example_fromFastAPIToNetHTTP() {
	var verifier *core.Verifier
	var admin http.Handler

	http.Handle("/admin/", stdaccess.New(verifier)(admin))
}

func Example_fromFastAPIToGin() {
	var verifier *core.Verifier
	router := gin.New()

	admin := router.Group("/admin", ginaccess.New(verifier))
	_ = admin
}

func Example_fromFastAPIToEcho() {
	var verifier *core.Verifier
	e := echo.New()

	admin := e.Group("/admin", echoaccess.New(verifier))
	_ = admin
}

func Example_fromFastAPIToFiber() {
	var verifier *core.Verifier
	app := fiber.New()

	admin := app.Group("/admin")
	admin.Use("/*", fiberaccess.New(verifier))
}

func Example_fromGolangJWT() {
	var verifier *core.Verifier

	handler := func(w http.ResponseWriter, r *http.Request) {
		claims, err := verifier.Authenticate(r.Context(), r.Header)
		if err != nil {
			core.Refuse(err).ServeHTTP(w, r)
			return
		}
		r = core.Forward(r, claims)
		_ = r // the rest of the handler
	}
	_ = handler
}

func Example_fromGinCloudflareAccess() {
	var verifier *core.Verifier
	r := gin.New()

	r.Use(ginaccess.New(verifier))
}

func Example_fromGinCloudflareAccessOptional() {
	var verifier *core.Verifier
	r := gin.New()

	r.Use(ginaccess.New(verifier, ginaccess.Config{Rule: core.Rule{Optional: true}}))
	secured := r.Group("/secured", ginaccess.Require())
	_ = secured
}
