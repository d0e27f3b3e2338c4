package user

import (
	"io"
	"net"
	"net/http"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/stdaccess"
)

func serve(listener net.Listener, verifier *core.Verifier) error {
	return http.Serve(listener, stdaccess.New(verifier)(http.HandlerFunc(greet)))
}

func greet(w http.ResponseWriter, r *http.Request) {
	if claims, ok := stdaccess.Claims(r); ok {
		_, _ = io.WriteString(w, claims.Email)
	}
}
