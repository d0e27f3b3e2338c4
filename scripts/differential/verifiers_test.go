package differential

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/scripts/peers"
)

// A verifier is cfaccess or one of the peers.
type verifier struct {
	name   string
	ours   bool
	verify func(token string) error
}

// newVerifiers returns cfaccess with and without its cache of verified tokens, and the
// peers. Each cfaccess has accepted the withdrawn key while it was published.
func newVerifiers(t *testing.T) []verifier {
	var withdrew atomic.Bool
	team := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys := slices.Clone(published)
		if !withdrew.Load() {
			keys = append(keys, withdrawn)
		}
		if strings.HasPrefix(r.URL.Path, "/strong/") {
			keys = slices.DeleteFunc(keys, func(k key) bool { return k.id == weak.id })
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(certs(keys))
	}))
	t.Cleanup(team.Close)
	site := peers.Site{URL: team.URL, Issuer: issuer}
	var verifiers []verifier
	for _, ours := range []struct {
		name      string
		cacheSize int
	}{{peers.Ours, -1}, {peers.Ours + " with a cache", 0}} {
		withdrew.Store(false)
		v := must(peers.NewVerifier(site, func(c *core.Config) { c.TokenCacheBytes = ours.cacheSize }))
		old := build(false, 0, []edit{signs(jwt.SigningMethodRS256, withdrawn.private, withdrawn.id, "RS256")})
		_ = must(v.Verify(t.Context(), old.sent))
		withdrew.Store(true)
		if err := v.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		verifiers = append(verifiers, verifier{ours.name, true, func(token string) error {
			_, err := v.Verify(t.Context(), token)
			return err
		}})
	}
	for _, library := range peers.Libraries() {
		if !slices.Contains(both, library.Name) {
			continue
		}
		site := site
		if library.Name == peers.JWX {
			site.URL += "/strong" // it refuses a whole set for one weak key
		}
		verify := must(library.New(t.Context(), site))
		verifiers = append(verifiers, verifier{library.Name, false, func(token string) error { return verify(t.Context(), token) }})
	}
	return verifiers
}

// certs returns the certs document with these keys.
func certs(keys []key) []byte {
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &k.private.PublicKey, KeyID: k.id, Algorithm: k.alg, Use: k.use})
	}
	return must(json.Marshal(set))
}
