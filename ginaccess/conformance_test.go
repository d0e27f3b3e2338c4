package ginaccess_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
	"github.com/cfaccess/cfaccess/ginaccess"
)

func newMiddleware(app conformance.App) gin.HandlerFunc {
	config := ginaccess.Config{
		Rule:    app.Rule,
		Skipper: func(c *gin.Context) bool { return app.Skips(c.Request.URL.Path) },
	}
	if app.SkipPaths != nil {
		config.Skipper = ginaccess.SkipPaths(app.SkipPaths...)
	}
	if app.HandlesErrors {
		config.ErrorHandler = func(c *gin.Context, err error) {
			if text := app.Handle(err, c.Request.Header); !app.Silent {
				c.String(conformance.HandledStatus, text)
			}
		}
	}
	return ginaccess.New(app.Verifier, config)
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T, app conformance.App) string {
		inner, require := newMiddleware(app.Inner()), ginaccess.Require(app.Policies...)
		innerRequire := ginaccess.Require(app.Inner().Policies...)

		whoami := func(c *gin.Context) {
			app.WhoAmI(c.Writer, c.Request, func() (*core.Claims, bool) { return ginaccess.Claims(c) }, c)
		}
		fail := func(c *gin.Context) {
			_ = c.AbortWithError(conformance.FailureStatus, errors.New(conformance.FailureMessage))
			c.JSON(-1, c.Errors.Last()) // -1 keeps the status
		}
		crash := func(*gin.Context) { panic("a handler's own") }

		router := gin.New()
		router.Use(gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, _ any) {
			c.AbortWithStatus(http.StatusInternalServerError)
		}))
		if app.ShowsErrors {
			router.Use(gin.ErrorLogger())
		}
		router.GET(conformance.PathBareFailure, fail)
		router.GET(conformance.PathBarePanic, crash)
		router.Any(conformance.PathRequireAlone, require, whoami)

		protected := router.Group("/", newMiddleware(app))
		protected.Any(conformance.PathWhoAmI, whoami)
		protected.Any(conformance.PathRequired, require, whoami)
		protected.Any(conformance.PathSkipped, whoami)
		protected.Any(conformance.PathNested, inner, innerRequire, whoami)
		protected.Any(conformance.PathNestedSkipped, inner, whoami)
		protected.GET(conformance.PathFailure, fail)
		protected.GET(conformance.PathPanic, crash)
		protected.GET(conformance.PathStream, func(c *gin.Context) {
			app.Stream(c.Writer, http.NewResponseController(c.Writer).Flush)
		})
		protected.GET(conformance.PathUpgrade, func(c *gin.Context) { app.Upgrade(c.Writer, c.Request) })

		return app.Serve(t, router)
	})
}
