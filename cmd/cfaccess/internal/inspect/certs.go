package inspect

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// A Key is a key that a team publishes.
type Key struct {
	KID, KTY, ALG, USE, N string    // members of the JWK (RFC 7517)
	Status                string    `json:"-"` // "current", "previous", or "skipped: " and why
	Since                 time.Time `json:"-"` // from when its certificate is valid; zero if it has none
}

// noTag stands for an audience where none is judged: core wants one.
var noTag = strings.Repeat("0", 64)

// roundTrip is a transport in a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// record returns a transport that keeps the last whole body, so that the keys that
// are shown are those that were used. A fetch may outlast the call that started it.
func record(body *atomic.Pointer[[]byte]) roundTrip {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	return func(request *http.Request) (*http.Response, error) {
		response, err := transport.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		read, err := io.ReadAll(io.LimitReader(response.Body, 1<<20+1)) // with one byte over 1 MiB, core refuses it
		if err == nil {
			body.Store(&read)
		}
		response.Body = io.NopCloser(bytes.NewReader(read))
		return response, err
	}
}

func newVerifier(team string, audiences []string, transport http.RoundTripper) (*core.Verifier, error) {
	return core.New(core.Config{
		Team: team, Audiences: audiences, HTTPClient: &http.Client{Transport: transport}, Logger: slog.New(slog.DiscardHandler),
	})
}

// Keys fetches the keys of a team: a name, a domain or the URL of a local Access.
// If the document as a whole can't be used, it returns the keys and an error.
func Keys(ctx context.Context, team string) (issuer string, keys []Key, err error) {
	var body atomic.Pointer[[]byte]
	v, err := newVerifier(team, []string{noTag}, record(&body))
	if err != nil {
		return "", nil, err
	}
	err = v.Refresh(ctx)
	return v.Issuer(), parseKeys(ctx, &body), err
}

// parseKeys returns the keys of a certs document, nil if there is none.
func parseKeys(ctx context.Context, recorded *atomic.Pointer[[]byte]) (keys []Key) {
	var document struct {
		Keys         []json.RawMessage            `json:"keys"`
		PublicCert   struct{ KID string }         `json:"public_cert"`
		Certificates []struct{ KID, Cert string } `json:"public_certs"`
	}
	if body := recorded.Load(); body == nil || json.Unmarshal(*body, &document) != nil {
		return nil
	}
	since := map[string]time.Time{}
	for _, c := range document.Certificates {
		if block, _ := pem.Decode([]byte(c.Cert)); block != nil {
			if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
				since[c.KID] = certificate.NotBefore
			}
		}
	}
	current := document.PublicCert.KID // may be stale, so dates count first
	for _, raw := range document.Keys {
		key := Key{Status: "previous"}
		_ = json.Unmarshal(raw, &key) // core says what is wrong
		key.Since = since[key.KID]
		if reason := skipped(ctx, raw); reason != "" {
			key.Status = "skipped: " + reason
		} else if key.Since.After(since[current]) {
			current = key.KID
		}
		keys = append(keys, key)
	}
	for i := range keys {
		if keys[i].KID == current && keys[i].Status == "previous" {
			keys[i].Status = "current"
		}
	}
	return keys
}

// skipped returns why core can't use a key, "" if it can: core judges a document
// of this key alone.
func skipped(ctx context.Context, key json.RawMessage) string {
	body := fmt.Appendf(nil, `{"keys":[%s]}`, key)
	v, err := newVerifier("acme", []string{noTag}, roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body))}, nil
	}))
	if err == nil {
		err = v.Refresh(ctx)
	}
	if err == nil {
		return ""
	}
	_, reason, _ := strings.Cut(err.Error(), "among 1: ")
	return reason
}
