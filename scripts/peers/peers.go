// Package peers sets up cfaccess and the libraries that it is compared with.
// Each is set up as its own documentation says, for one application of one team.
package peers

import (
	"context"
	"time"
)

// The team and the application that every verifier is set up for. An AUD tag is
// 64 hex digits.
const (
	Team     = "acme"
	Audience = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"
)

// The names of the libraries, as tables show them.
const (
	Ours      = "cfaccess"
	GolangJWT = "golang-jwt + keyfunc"
	GoOIDC    = "go-oidc"
	JWX       = "jwx"
	Auth0     = "auth0"
)

// certsPath is where a team publishes its keys.
const certsPath = "/cdn-cgi/access/certs"

// A Site tells a verifier where its team is.
type Site struct {
	URL    string // where the team listens, without a slash at the end
	Issuer string
	// Refresh is the age at which keys are fetched again. 0 means the library's
	// default, at least a quarter of an hour. go-oidc has no such setting.
	Refresh time.Duration
}

func (s Site) certs() string { return s.URL + certsPath }

// Verify returns nil if the token is accepted. golang-jwt and jwx ignore the
// context.
type Verify func(ctx context.Context, token string) error

// A Module is a Go module that belongs to a library.
type Module struct {
	Name string // the name that its users know
	Path string
}

// A Library is a verifier that a Go program could use.
type Library struct {
	Name    string
	Modules []Module
	// New sets the library up. Some libraries fetch the keys in New, the others
	// with the first token. The goroutines that New starts end with ctx.
	New func(ctx context.Context, s Site) (Verify, error)
}

// Libraries returns all libraries that are compared, cfaccess first.
func Libraries() []Library {
	return []Library{
		{Ours, []Module{{Ours, "github.com/cfaccess/cfaccess/core"}}, ours},
		{GolangJWT, []Module{{"golang-jwt", "github.com/golang-jwt/jwt/v5"}, {"keyfunc", "github.com/MicahParks/keyfunc/v3"}}, golangJWT},
		{GoOIDC, []Module{{GoOIDC, "github.com/coreos/go-oidc/v3"}}, goOIDC},
		{JWX, []Module{{JWX, "github.com/lestrrat-go/jwx/v3"}}, jwx},
		{Auth0, []Module{{Auth0, "github.com/auth0/go-jwt-middleware/v3"}}, auth0},
	}
}
