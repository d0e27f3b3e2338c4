package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// The situations in which the team's keys change or can't be had.

// keyRotated: a server that knows the old keys meets a token of the new one.
func keyRotated(ctx context.Context, o *origin) (outcome, error) {
	if err := o.verifier.Refresh(ctx); err != nil {
		return outcome{}, err
	}
	o.team.Rotate()
	before := o.team.Fetches()
	result, err := visit("/", inHeader(user(ada)))(ctx, o)
	result.fetches = o.team.Fetches() - before
	return result, err
}

// previousKey: a session that began before the rotation goes on after it. Its
// token is new to the server, which has fetched the new keys.
func previousKey(ctx context.Context, o *origin) (outcome, error) {
	session := user(ada)(o.team)
	o.team.Rotate()
	if err := o.verifier.Refresh(ctx); err != nil {
		return outcome{}, err
	}
	return visit("/", inHeader(keep(session)))(ctx, o)
}

// keyWithdrawn: a session outlives its key. The server accepted its token
// before, and notices with the next fetch: within RefreshInterval, or here at
// once, by Refresh.
func keyWithdrawn(ctx context.Context, o *origin) (outcome, error) {
	session := visit("/", inHeader(keep(user(ada)(o.team))))
	result, err := session(ctx, o)
	if err != nil {
		return outcome{}, err
	}
	if a := result.answers[0]; a.status != http.StatusOK {
		return outcome{}, fmt.Errorf("before the key was withdrawn: %v", a)
	}
	o.team.Rotate()
	o.team.Withdraw()
	if err := o.verifier.Refresh(ctx); err != nil {
		return outcome{}, err
	}
	return session(ctx, o)
}

// madeUpKids: somebody sends tokens that name keys which were never published.
// Fetches count from the server's start.
func madeUpKids(number int) play {
	return func(ctx context.Context, o *origin) (outcome, error) {
		before := o.team.Fetches()
		var all outcome
		for i := range number {
			kid := accesstest.WithHeader("kid", fmt.Sprintf("%064x", i))
			one, err := visit("/", inHeader(user(ada, kid)))(ctx, o)
			if err != nil {
				return outcome{}, err
			}
			all.answers = append(all.answers, one.answers...)
		}
		all.fetches = o.team.Fetches() - before
		return all, nil
	}
}

// downWithKeys: the last good keys go on serving while fetching them fails.
func downWithKeys(ctx context.Context, o *origin) (outcome, error) {
	if err := o.verifier.Refresh(ctx); err != nil {
		return outcome{}, err
	}
	o.team.Fail(http.StatusBadGateway)
	if err := o.verifier.Refresh(ctx); err == nil {
		return outcome{}, errors.New("the certs endpoint is not down")
	}
	return visit("/", inHeader(user(ada)))(ctx, o)
}

// downWithoutKeys: a server that can't judge a token says so, and doesn't
// blame the caller.
func downWithoutKeys(ctx context.Context, o *origin) (outcome, error) {
	o.team.Fail(http.StatusBadGateway)
	return visit("/", inHeader(user(ada)))(ctx, o)
}

// keep is a token that was made before.
func keep(signed string) token {
	return func(*accesstest.Team) string { return signed }
}
