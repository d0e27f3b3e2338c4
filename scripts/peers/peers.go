// Package peers sets up cfaccess and the libraries that it is compared with,
// each as its own documentation has it, for the application of one team.
package peers

import (
	"context"
	"time"
)

// Whom every verifier here works for. An AUD tag is 64 hex digits.
const (
	Team     = "acme"
	Audience = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"
)

// The names of those that are compared, as the tables have them.
const (
	Ours      = "cfaccess"
	GolangJWT = "golang-jwt + keyfunc"
	GoOIDC    = "go-oidc"
	JWX       = "jwx"
	Auth0     = "auth0"
)

// certsPath is where a team publishes its keys.
const certsPath = "/cdn-cgi/access/certs"

// A Site says where a verifier finds its team.
type Site struct {
	URL    string // where the team listens, without a slash at the end
	Issuer string
	// Refresh is the age at which keys are fetched again. 0 leaves each library
	// its default, a quarter of an hour or more. go-oidc has no such setting.
	Refresh time.Duration
}

func (s Site) certs() string { return s.URL + certsPath }

// Verify returns nil for a token that is accepted. golang-jwt and jwx have no
// use for the context.
type Verify func(ctx context.Context, token string) error

// A Module is one that a library consists of.
type Module struct {
	Name string // as its users call it
	Path string
}

// A Library is a verifier that a Go program could choose.
type Library struct {
	Name    string
	Modules []Module
	// New sets the library up. Some fetch the keys now and some with the first
	// token. The goroutines that it starts end with ctx.
	New func(ctx context.Context, s Site) (Verify, error)
}

// Libraries returns all that are compared, ours first.
func Libraries() []Library {
	return []Library{
		{Ours, []Module{{Ours, "github.com/cfaccess/cfaccess/core"}}, ours},
		{GolangJWT, []Module{{"golang-jwt", "github.com/golang-jwt/jwt/v5"}, {"keyfunc", "github.com/MicahParks/keyfunc/v3"}}, golangJWT},
		{GoOIDC, []Module{{GoOIDC, "github.com/coreos/go-oidc/v3"}}, NewGoOIDC},
		{JWX, []Module{{JWX, "github.com/lestrrat-go/jwx/v3"}}, jwx},
		{Auth0, []Module{{Auth0, "github.com/auth0/go-jwt-middleware/v3"}}, auth0},
	}
}
