package echoaccess_test

import (
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
	"github.com/cfaccess/cfaccess/echoaccess"
)

func newMiddleware(app conformance.App) echo.MiddlewareFunc {
	config := echoaccess.Config{
		Rule:    app.Rule,
		Skipper: func(c echo.Context) bool { return app.Skips(c.Path()) },
	}
	if app.SkipPaths != nil {
		config.Skipper = echoaccess.SkipPaths(app.SkipPaths...)
	}
	if app.HandlesErrors {
		config.ErrorHandler = func(c echo.Context, err error) error {
			text := app.Handle(err, c.Request().Header)
			if app.Silent {
				return nil
			}
			return c.String(conformance.HandledStatus, text)
		}
	}
	return echoaccess.New(app.Verifier, config)
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T, app conformance.App) string {
		inner, require := newMiddleware(app.Inner()), echoaccess.Require(app.Policies...)
		innerRequire := echoaccess.Require(app.Inner().Policies...)

		whoami := func(c echo.Context) error {
			app.WhoAmI(c.Response(), c.Request(), func() (*core.Claims, bool) { return echoaccess.Claims(c) })
			return nil
		}
		fail := func(echo.Context) error {
			return echo.NewHTTPError(conformance.FailureStatus, conformance.FailureMessage)
		}
		crash := func(echo.Context) error { panic("a handler's own") }

		e := echo.New()
		e.Debug = app.ShowsErrors
		e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{
			LogErrorFunc: func(_ echo.Context, err error, _ []byte) error { return err },
		}))
		e.GET(conformance.PathBareFailure, fail)
		e.GET(conformance.PathBarePanic, crash)
		e.Any(conformance.PathRequireAlone, whoami, require)

		protected := e.Group("", newMiddleware(app))
		protected.Any(conformance.PathWhoAmI, whoami)
		protected.Any(conformance.PathRequired, whoami, require)
		protected.Any(conformance.PathSkipped, whoami)
		protected.Any(conformance.PathNested, whoami, inner, innerRequire)
		protected.Any(conformance.PathNestedSkipped, whoami, inner)
		protected.GET(conformance.PathFailure, fail)
		protected.GET(conformance.PathPanic, crash)
		protected.GET(conformance.PathStream, func(c echo.Context) error {
			app.Stream(c.Response(), http.NewResponseController(c.Response()).Flush)
			return nil
		})
		protected.GET(conformance.PathUpgrade, func(c echo.Context) error {
			app.Upgrade(c.Response(), c.Request())
			return nil
		})

		return app.Serve(t, e)
	})
}
