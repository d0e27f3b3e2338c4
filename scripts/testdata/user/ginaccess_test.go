package user

import (
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/ginaccess"
)

func serve(listener net.Listener, verifier *core.Verifier) error {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(ginaccess.New(verifier))
	router.GET("/", greet)
	return http.Serve(listener, router)
}

func greet(c *gin.Context) {
	if claims, ok := ginaccess.Claims(c); ok {
		c.String(http.StatusOK, "%s", claims.Email)
	}
}
