package ginaccess_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
	"github.com/cfaccess/cfaccess/ginaccess"
)

func TestConformance(t *testing.T) {
	gin.SetMode(gin.TestMode)
	conformance.Run(t, func(t *testing.T, site conformance.Site) string {
		config := ginaccess.Config{
			Rule:    site.Rule,
			Skipper: func(c *gin.Context) bool { return c.Request.URL.Path == conformance.PathSkipped },
		}
		if site.HandlesErrors {
			config.ErrorHandler = func(c *gin.Context, err error) {
				if text := site.Handle(err, c.Request.Header); !site.Silent {
					c.String(conformance.HandledStatus, text)
				}
			}
		}
		require := ginaccess.Require(site.Policies...)
		skip := ginaccess.New(site.Verifier, ginaccess.Config{Skipper: func(*gin.Context) bool { return true }})

		whoami := func(c *gin.Context) {
			site.WhoAmI(c.Writer, c.Request, func() (*core.Claims, bool) { return ginaccess.Claims(c) })
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
		router.GET(conformance.PathBareFailure, fail)
		router.GET(conformance.PathBarePanic, crash)
		router.Any(conformance.PathRequireAlone, require, whoami)

		protected := router.Group("/", ginaccess.New(site.Verifier, config))
		protected.Any(conformance.PathWhoAmI, whoami)
		protected.Any(conformance.PathRequired, require, whoami)
		protected.Any(conformance.PathSkipped, whoami)
		protected.Any(conformance.PathNested, skip, whoami)
		protected.GET(conformance.PathFailure, fail)
		protected.GET(conformance.PathPanic, crash)
		protected.GET(conformance.PathStream, func(c *gin.Context) {
			site.Stream(c.Writer, http.NewResponseController(c.Writer).Flush)
		})
		protected.GET(conformance.PathUpgrade, func(c *gin.Context) { site.Upgrade(c.Writer, c.Request) })

		server := httptest.NewServer(router)
		t.Cleanup(server.Close)
		return server.URL
	})
}
