package echo5access_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
	"github.com/cfaccess/cfaccess/echo5access"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T, site conformance.Site) string {
		config := echo5access.Config{
			Rule:    site.Rule,
			Skipper: func(c *echo.Context) bool { return c.Path() == conformance.PathSkipped },
		}
		if site.HandlesErrors {
			config.ErrorHandler = func(c *echo.Context, err error) error {
				if text := site.Handle(err, c.Request().Header); !site.Silent {
					return c.String(conformance.HandledStatus, text)
				}
				return nil
			}
		}
		require := echo5access.Require(site.Policies...)
		skip := echo5access.New(site.Verifier, echo5access.Config{Skipper: func(*echo.Context) bool { return true }})

		whoami := func(c *echo.Context) error {
			site.WhoAmI(c.Response(), c.Request(), func() (*core.Claims, bool) { return echo5access.Claims(c) })
			return nil
		}
		fail := func(*echo.Context) error {
			return echo.NewHTTPError(conformance.FailureStatus, conformance.FailureMessage)
		}
		crash := func(*echo.Context) error { panic("a handler's own") }

		e := echo.New()
		e.Use(middleware.Recover())
		e.GET(conformance.PathBareFailure, fail)
		e.GET(conformance.PathBarePanic, crash)
		e.Any(conformance.PathRequireAlone, whoami, require)

		protected := e.Group("", echo5access.New(site.Verifier, config))
		protected.Any(conformance.PathWhoAmI, whoami)
		protected.Any(conformance.PathRequired, whoami, require)
		protected.Any(conformance.PathSkipped, whoami)
		protected.Any(conformance.PathNested, whoami, skip)
		protected.GET(conformance.PathFailure, fail)
		protected.GET(conformance.PathPanic, crash)
		protected.GET(conformance.PathStream, func(c *echo.Context) error {
			site.Stream(c.Response(), http.NewResponseController(c.Response()).Flush)
			return nil
		})
		protected.GET(conformance.PathUpgrade, func(c *echo.Context) error {
			site.Upgrade(c.Response(), c.Request())
			return nil
		})

		server := httptest.NewServer(e)
		t.Cleanup(server.Close)
		return server.URL
	})
}
