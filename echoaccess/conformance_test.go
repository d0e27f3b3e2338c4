package echoaccess_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
	"github.com/cfaccess/cfaccess/echoaccess"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T, site conformance.Site) string {
		config := echoaccess.Config{
			Rule:    site.Rule,
			Skipper: func(c echo.Context) bool { return c.Path() == conformance.PathSkipped },
		}
		if site.HandlesErrors {
			config.ErrorHandler = func(c echo.Context, err error) error {
				if text := site.Handle(err, c.Request().Header); !site.Silent {
					return c.String(conformance.HandledStatus, text)
				}
				return nil
			}
		}
		require := echoaccess.Require(site.Policies...)
		skip := echoaccess.New(site.Verifier, echoaccess.Config{Skipper: func(echo.Context) bool { return true }})

		whoami := func(c echo.Context) error {
			site.WhoAmI(c.Response(), c.Request(), func() (*core.Claims, bool) { return echoaccess.Claims(c) })
			return nil
		}
		fail := func(echo.Context) error {
			return echo.NewHTTPError(conformance.FailureStatus, conformance.FailureMessage)
		}
		crash := func(echo.Context) error { panic("a handler's own") }

		e := echo.New()
		e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{
			LogErrorFunc: func(_ echo.Context, err error, _ []byte) error { return err },
		}))
		e.GET(conformance.PathBareFailure, fail)
		e.GET(conformance.PathBarePanic, crash)
		e.Any(conformance.PathRequireAlone, whoami, require)

		protected := e.Group("", echoaccess.New(site.Verifier, config))
		protected.Any(conformance.PathWhoAmI, whoami)
		protected.Any(conformance.PathRequired, whoami, require)
		protected.Any(conformance.PathSkipped, whoami)
		protected.Any(conformance.PathNested, whoami, skip)
		protected.GET(conformance.PathFailure, fail)
		protected.GET(conformance.PathPanic, crash)
		protected.GET(conformance.PathStream, func(c echo.Context) error {
			site.Stream(c.Response(), http.NewResponseController(c.Response()).Flush)
			return nil
		})
		protected.GET(conformance.PathUpgrade, func(c echo.Context) error {
			site.Upgrade(c.Response(), c.Request())
			return nil
		})

		server := httptest.NewServer(e)
		t.Cleanup(server.Close)
		return server.URL
	})
}
