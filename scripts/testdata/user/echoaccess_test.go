package user

import (
	"net"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/echoaccess"
)

func serve(listener net.Listener, verifier *core.Verifier) error {
	e := echo.New()
	e.Use(echoaccess.New(verifier))
	e.GET("/", greet)
	return http.Serve(listener, e)
}

func greet(c echo.Context) error {
	claims, ok := echoaccess.Claims(c)
	if !ok {
		return echo.ErrInternalServerError
	}
	return c.String(http.StatusOK, claims.Email)
}
