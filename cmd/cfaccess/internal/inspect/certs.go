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

// A key is a key that a team publishes.
type key struct {
	KID, KTY, ALG, USE, N string // members of the JWK (RFC 7517)
	status                string // current or previous, and its age; or why core skips it
}

// certs is a transport that fetches a certs document once and repeats it, so that
// the keys that are shown are those that were used. It is safe for concurrent use:
// a fetch may outlast the call that started it.
type certs struct{ document atomic.Value } // []byte

func (c *certs) RoundTrip(request *http.Request) (*http.Response, error) {
	if c.document.Load() == nil {
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil || response.StatusCode != http.StatusOK {
			return response, err
		}
		defer response.Body.Close()
		document, err := io.ReadAll(io.LimitReader(response.Body, 1<<20+1)) // with one byte over 1 MiB, core refuses it
		if err != nil {
			return nil, err
		}
		c.document.Store(document)
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(c.document.Load().([]byte)))}, nil
}

// refresh fetches the document as core does, if there is none yet.
func (c *certs) refresh(ctx context.Context, team string) (issuer string, err error) {
	v, err := c.newVerifier(team, nil)
	if err != nil {
		return "", err
	}
	return v.Issuer(), v.Refresh(ctx)
}

// keys returns the keys of the document, nil if there is none.
func (c *certs) keys() (keys []key) {
	type certificate struct{ KID, Cert string }
	var document struct {
		Keys         []json.RawMessage
		PublicCert   certificate   `json:"public_cert"`
		Certificates []certificate `json:"public_certs"`
	}
	fetched, _ := c.document.Load().([]byte)
	_ = json.Unmarshal(fetched, &document) // core says what is wrong
	current, since := "", map[string]time.Time{}
	// The newest is current. Only if several are of one date, public_cert counts: it may be stale.
	for _, published := range append([]certificate{document.PublicCert}, document.Certificates...) {
		if block, _ := pem.Decode([]byte(published.Cert)); block != nil {
			if parsed, err := x509.ParseCertificate(block.Bytes); err == nil {
				since[published.KID] = parsed.NotBefore
			}
		}
		if since[published.KID].After(since[current]) {
			current = published.KID
		}
	}
	for _, raw := range document.Keys {
		k := key{status: "previous"}
		_ = json.Unmarshal(raw, &k) // core says what is wrong
		if k.KID == current {
			k.status = "current"
		}
		if date, ok := since[k.KID]; ok {
			k.status += ", since " + relative(date)
		}
		// Core says why it skips a key only if there is no other key.
		alone := new(certs)
		alone.document.Store(fmt.Appendf(nil, `{"keys":[%s]}`, raw))
		if _, err := alone.refresh(context.Background(), "acme"); err != nil {
			_, reason, _ := strings.Cut(err.Error(), "among 1: ")
			k.status = "skipped: " + reason
		}
		keys = append(keys, k)
	}
	return keys
}

func (c *certs) newVerifier(team string, audiences []string) (*core.Verifier, error) {
	if len(audiences) == 0 {
		audiences = []string{strings.Repeat("0", 64)} // core wants one
	}
	return core.New(core.Config{
		Team: team, Audiences: audiences, HTTPClient: &http.Client{Transport: c}, Logger: slog.New(slog.DiscardHandler),
	})
}
