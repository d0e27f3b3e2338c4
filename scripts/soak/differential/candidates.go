package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/cfaccess/cfaccess/core"
)

// The peers, as the tables have them.
const (
	nameOIDC = "go-oidc"
	nameJWX  = "jwx"
)

var peers = [...]string{nameOIDC, nameJWX}

// candidates are the verifiers, each with the same keys, issuer and audience,
// and as nearly the same leeway as it allows. They are safe for concurrent use.
type candidates struct {
	remembering *core.Verifier // what is verified is remembered
	forgetful   *core.Verifier
	peers       [len(peers)]func(ctx context.Context, token string) error
}

// newCandidates returns the verifiers with their keys. Ours have seen the
// withdrawn key, and a token that it signed, while it was published.
func newCandidates(ctx context.Context, keys *keyring) (*candidates, error) {
	var document published
	c := &candidates{}
	old := newDraft(keys, time.Now(), random(0, 0))
	signWith(old, keys.withdrawn, rs256)
	old.finish(nil, nil)
	for _, want := range []struct {
		to   **core.Verifier
		size int
	}{{&c.remembering, 1024}, {&c.forgetful, -1}} {
		document.Store(keys.certs(true))
		v, err := core.New(core.Config{
			Team: team, Audiences: []string{audience}, Leeway: leeway, TokenCacheSize: want.size,
			HTTPClient: &http.Client{Transport: &document}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return nil, err
		}
		if _, err := v.Verify(ctx, old.token); err != nil {
			return nil, fmt.Errorf("a key that is published still: %w", err)
		}
		document.Store(keys.certs(false))
		if err := v.Refresh(ctx); err != nil {
			return nil, err
		}
		if _, err := v.Verify(ctx, old.token); !errors.Is(err, core.ErrUnknownKey) {
			return nil, fmt.Errorf("a key that was withdrawn: %w", err)
		}
		*want.to = v
	}

	// It drops a weak key, where without the option it drops the whole set.
	set, err := jwk.Parse(keys.certs(false), jwk.WithIgnoreParseError(true))
	if err != nil {
		return nil, fmt.Errorf("jwx: %w", err)
	}
	c.peers = [...]func(context.Context, string) error{goOIDC(&document), jwx(set)}
	return c, nil
}

// goOIDC is Cloudflare's own sample for Go. It has no leeway for exp, so its
// clock is late; that takes as much from the five minutes that it has for nbf.
func goOIDC(document *published) func(context.Context, string) error {
	ctx := oidc.ClientContext(context.Background(), &http.Client{Transport: document})
	keys := oidc.NewRemoteKeySet(ctx, issuer+"/cdn-cgi/access/certs")
	verifier := oidc.NewVerifier(issuer, keys, &oidc.Config{
		ClientID: audience,
		Now:      func() time.Time { return time.Now().Add(-leeway) },
	})
	return func(ctx context.Context, token string) error {
		_, err := verifier.Verify(ctx, token)
		return err
	}
}

func jwx(set jwk.Set) func(context.Context, string) error {
	return func(_ context.Context, token string) error {
		_, err := jwxjwt.ParseString(token, jwxjwt.WithKeySet(set), jwxjwt.WithIssuer(issuer),
			jwxjwt.WithAudience(audience), jwxjwt.WithAcceptableSkew(leeway))
		return err
	}
}

// published is a certs endpoint without a socket: go-oidc asks it at every
// signature that doesn't verify.
type published struct{ document atomic.Value }

func (p *published) Store(document []byte) { p.document.Store(document) }

func (p *published) RoundTrip(r *http.Request) (*http.Response, error) {
	body := p.document.Load().([]byte)
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}
