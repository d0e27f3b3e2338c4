package main

import (
	"context"
	"maps"
	"net/http"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// The callers.
const (
	ada = "ada@example.com"
	eve = "eve@elsewhere.example"
	bot = "ci-bot.access" // a service token's Client ID
)

// A token is made when it is needed: the team's current key signs it then.
type token func(*accesstest.Team) string

// user is the token of a person.
func user(email string, options ...accesstest.Option) token {
	return userOf(audience, email, options...)
}

// userOf is the token of a person for some application.
func userOf(aud, email string, options ...accesstest.Option) token {
	return func(team *accesstest.Team) string { return team.SignUser(aud, email, options...) }
}

// service is the token of a service.
func service(clientID string) token {
	return func(team *accesstest.Team) string { return team.SignService(audience, clientID) }
}

// credentials are the header fields that a request brings.
type credentials func(*accesstest.Team) http.Header

func inHeader(t token) credentials {
	return func(team *accesstest.Team) http.Header {
		return http.Header{core.TokenHeader: {t(team)}}
	}
}

func inCookie(t token) credentials {
	return func(team *accesstest.Team) http.Header {
		return http.Header{"Cookie": {core.TokenCookie + "=" + t(team)}}
	}
}

// claiming is what a forger sends who reaches the origin past Access.
func claiming(email string) credentials {
	return func(*accesstest.Team) http.Header {
		return http.Header{core.EmailHeader: {email}}
	}
}

// together joins header fields. Without any it is a request with no token.
func together(all ...credentials) credentials {
	return func(team *accesstest.Team) http.Header {
		header := make(http.Header)
		for _, c := range all {
			maps.Copy(header, c(team))
		}
		return header
	}
}

// visit is one request.
func visit(path string, c credentials) play {
	return func(ctx context.Context, o *origin) (outcome, error) {
		a, err := o.get(ctx, path, c(o.team))
		if err != nil {
			return outcome{}, err
		}
		return outcome{answers: []answer{a}}, nil
	}
}
