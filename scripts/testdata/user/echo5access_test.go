package user

import (
	"net"
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/echo5access"
)

func serve(listener net.Listener, verifier *core.Verifier) error {
	e := echo.New()
	e.Use(echo5access.New(verifier))
	e.GET("/", greet)
	return http.Serve(listener, e)
}

func greet(c *echo.Context) error {
	claims, ok := echo5access.Claims(c)
	if !ok {
		return echo.ErrInternalServerError
	}
	return c.String(http.StatusOK, claims.Email)
}
