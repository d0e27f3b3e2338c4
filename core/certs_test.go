package core

// These tests see the package from outside, through New. They are inside it for
// FuzzCerts, which takes its seeds from their tables.

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

const (
	certsAudience = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"
	certsKid      = "made-for-this"
)

// certsJWK is a JSON Web Key.
type certsJWK = map[string]any

// certsWith returns a usable key with one member changed. No member is changed
// if the name is empty.
func certsWith(name string, value any) certsJWK {
	key := certsJWK{"kid": certsKid, "kty": "RSA", "alg": "RS256", "use": "sig", "e": "AQAB", "n": certsModulus(2048)}
	if name != "" {
		key[name] = value
	}
	return key
}

func certsWithout(name string) certsJWK {
	key := certsWith("", nil)
	delete(key, name)
	return key
}

// certsModulus returns an odd number of so many bits. That it isn't the product
// of two primes can't be seen.
func certsModulus(bits uint) string {
	one := big.NewInt(1)
	return certsNumber(new(big.Int).Sub(new(big.Int).Lsh(one, bits), one))
}

func certsNumber(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }

// certsExponent returns add + 2^power.
func certsExponent(add int64, power uint) string {
	n := new(big.Int).Lsh(big.NewInt(1), power)
	return certsNumber(n.Add(n, big.NewInt(add)))
}

func certsDocument(keys ...any) []byte {
	document, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return document
}

// certsUnusable are keys to be skipped.
var certsUnusable = map[string]any{
	"null":                 nil,
	"a number":             7,
	"a string":             "RSA",
	"an array":             []any{},
	"an empty object":      certsJWK{},
	"no kid":               certsWithout("kid"),
	"kid empty":            certsWith("kid", ""),
	"kid null":             certsWith("kid", nil),
	"kid a number":         certsWith("kid", 7),
	"no kty":               certsWithout("kty"),
	"kty in lower case":    certsWith("kty", "rsa"),
	"kty that is new":      certsWith("kty", "AKP"),
	"kty a number":         certsWith("kty", 7),
	"elliptic curve":       certsJWK{"kid": certsKid, "kty": "EC", "alg": "ES256", "use": "sig", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
	"Ed25519":              certsJWK{"kid": certsKid, "kty": "OKP", "alg": "EdDSA", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
	"symmetric":            certsJWK{"kid": certsKid, "kty": "oct", "alg": "HS256", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"},
	"for encryption":       certsWith("use", "enc"),
	"use a number":         certsWith("use", 7),
	"alg RS512":            certsWith("alg", "RS512"),
	"alg PS256":            certsWith("alg", "PS256"),
	"alg HS256":            certsWith("alg", "HS256"),
	"alg none":             certsWith("alg", "none"),
	"no n":                 certsWithout("n"),
	"n empty":              certsWith("n", ""),
	"n a number":           certsWith("n", 7),
	"n not base64":         certsWith("n", "no base64"),
	"n in another base64":  certsWith("n", strings.ReplaceAll(certsModulus(2048), "_", "/")),
	"1024 bits":            certsWith("n", certsModulus(1024)),
	"2047 bits":            certsWith("n", certsModulus(2047)),
	"8193 bits":            certsWith("n", certsModulus(8193)),
	"100,000 bits":         certsWith("n", certsModulus(100_000)),
	"an even modulus":      certsWith("n", certsExponent(0, 2047)),
	"no e":                 certsWithout("e"),
	"e empty":              certsWith("e", ""),
	"e a number":           certsWith("e", 65537),
	"e not base64":         certsWith("e", "=AQAB"),
	"e of 0":               certsWith("e", "AA"),
	"e of 1":               certsWith("e", "AQ"),
	"e of 3":               certsWith("e", "Aw"),
	"e of 65535":           certsWith("e", certsExponent(-1, 16)),
	"e of 65536":           certsWith("e", certsExponent(0, 16)),
	"e of 65538, even":     certsWith("e", certsExponent(2, 16)),
	"e of 2^31 + 1":        certsWith("e", certsExponent(1, 31)),     // more than crypto/rsa takes
	"e of 65537 + 2^64":    certsWith("e", certsExponent(65537, 64)), // 65537 in 64 bits
	"e of 65537 + 2^63":    certsWith("e", certsExponent(65537, 63)), // negative in 64 bits
	"e of 65537 + 2^65536": certsWith("e", certsExponent(65537, 65536)),
}

// certsUsable are keys that serve.
var certsUsable = map[string]any{
	"as Access has it":   certsWith("", nil),
	"no use":             certsWithout("use"),
	"use empty":          certsWith("use", ""),
	"no alg":             certsWithout("alg"),
	"2048 bits":          certsWith("n", certsModulus(2048)),
	"8192 bits":          certsWith("n", certsModulus(8192)),
	"e of 65539":         certsWith("e", certsExponent(3, 16)),
	"e of 2^31 - 1":      certsWith("e", certsExponent(-1, 31)),
	"members of no note": certsWith("x-new", certsJWK{"deep": []any{1, nil}}),
	"x5c nonsense":       certsWith("x5c", []any{"nonsense"}),
	"x5u nonsense":       certsWith("x5u", "http://[nonsense"),
	"key_ops nonsense":   certsWith("key_ops", []any{"nonsense"}),
	"another long kid":   certsWith("kid", strings.Repeat("k", 10_000)),
}

// certsTeam is a team on a real socket, with tokens that it signed.
type certsTeam struct {
	*accesstest.Team
	current, previous string // by the key that signed
	unknown           string // names certsKid
}

func newCertsTeam(t *testing.T) *certsTeam {
	t.Helper()
	team := accesstest.NewTeam("acme")
	t.Cleanup(team.Close)
	sign := func(options ...accesstest.Option) string {
		return team.SignUser(certsAudience, "ada@example.com", options...)
	}
	return &certsTeam{team, sign(), sign(accesstest.SignedByPreviousKey()), sign(accesstest.WithHeader("kid", certsKid))}
}

// keys returns the published keys: the previous one, then the current one.
func (t *certsTeam) keys() []certsJWK {
	var document struct{ Keys []certsJWK }
	if err := json.Unmarshal(t.Certs(), &document); err != nil {
		panic(err)
	}
	return document.Keys
}

func (t *certsTeam) serve(keys ...any) { t.Serve(string(certsDocument(keys...))) }

// certsRig is a verifier of a team's tokens. It remembers none, so that every
// token needs its key.
type certsRig struct {
	*Verifier
	team *certsTeam
	keys atomic.Int64 // usable keys of the last fetch
}

func newCertsRig(t *testing.T, team *certsTeam, changes ...func(*Config)) *certsRig {
	t.Helper()
	r := &certsRig{team: team}
	cfg := Config{
		Team:           "acme",
		Audiences:      []string{certsAudience},
		Endpoint:       team.URL,
		FetchTimeout:   time.Minute, // a busy machine is no part of the tests
		TokenCacheBytes: -1,
		Logger:         slog.New(slog.DiscardHandler),
		Hooks:          Hooks{Fetched: func(_ context.Context, e Fetch) { r.keys.Store(int64(e.Keys)) }},
	}
	for _, change := range changes {
		change(&cfg)
	}
	var err error
	if r.Verifier, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *certsRig) want(t *testing.T, token string, want error) {
	t.Helper()
	if _, err := r.Verify(t.Context(), token); !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// wantRefreshed fails the test unless a fetch brings so many usable keys.
func (r *certsRig) wantRefreshed(t *testing.T, keys int64) {
	t.Helper()
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatalf("got error %v, want none", err)
	}
	if got := r.keys.Load(); got != keys {
		t.Errorf("%d usable keys, want %d", got, keys)
	}
}

// wantKept fails the test unless a fetch fails with an error of this text, and
// the keys of before serve on.
func (r *certsRig) wantKept(t *testing.T, text string) {
	t.Helper()
	err := r.Refresh(t.Context())
	if !errors.Is(err, ErrKeysUnavailable) || !strings.Contains(err.Error(), text) {
		t.Errorf("got error %v, want %v that says %q", err, ErrKeysUnavailable, text)
	}
	r.want(t, r.team.current, nil)
	r.want(t, r.team.previous, nil)
}

// certsPadded returns the document with so many spaces behind it that it has
// this size: nothing but its size is wrong with it.
func certsPadded(document []byte, size int) []byte {
	return append(bytes.Clone(document), bytes.Repeat([]byte(" "), size-len(document))...)
}

// certsSizes are the ways in which a body's size is, or isn't, known beforehand.
var certsSizes = map[string]func(w http.ResponseWriter, body []byte){
	"announced": func(w http.ResponseWriter, body []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	},
	"streamed": func(w http.ResponseWriter, body []byte) {
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(body)
	},
	"compressed": func(w http.ResponseWriter, body []byte) {
		w.Header().Set("Content-Encoding", "gzip")
		compressor := gzip.NewWriter(w)
		_, _ = compressor.Write(body)
		_ = compressor.Close()
	},
}

func TestCertsSize(t *testing.T) {
	t.Parallel()
	team := newCertsTeam(t)
	for name, write := range certsSizes {
		t.Run(name, func(t *testing.T) {
			r := newCertsRig(t, team)
			serve := func(size int) {
				body := certsPadded(team.Certs(), size)
				team.Handle(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, body) }))
			}
			serve(1<<20 - 1)
			r.wantRefreshed(t, 2)
			serve(1 << 20)
			r.wantRefreshed(t, 2)
			serve(1<<20 + 1)
			r.wantKept(t, "body over 1048576 bytes")
		})
	}
}

// certsEndless is a body of spaces.
type certsEndless struct {
	left, read int
	closed     bool
}

func (b *certsEndless) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), b.left)
	for i := range p[:n] {
		p[i] = ' '
	}
	b.left -= n
	b.read += n
	return n, nil
}

func (b *certsEndless) Close() error {
	b.closed = true
	return nil
}

type certsTransport func(*http.Request) (*http.Response, error)

func (f certsTransport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// certsRaced reports whether the race detector is on, which doubles what is counted.
func certsRaced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// Not parallel, and without a server: it counts the memory of the process.
func TestCertsOf200MBCostLittleMemory(t *testing.T) {
	const size = 200 << 20
	for name, length := range map[string]int64{"announced": size, "streamed": -1} {
		t.Run(name, func(t *testing.T) {
			body := &certsEndless{left: size}
			v, err := New(Config{
				Team:      "acme",
				Audiences: []string{certsAudience},
				Logger:    slog.New(slog.DiscardHandler),
				HTTPClient: &http.Client{Transport: certsTransport(func(r *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, ContentLength: length, Request: r}, nil
				})},
			})
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err = v.Refresh(t.Context())
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrKeysUnavailable) {
				t.Errorf("got error %v, want %v", err, ErrKeysUnavailable)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 2e6 && !certsRaced() {
				t.Errorf("%d bytes of memory, want under 2 MB", got)
			}
			if body.read > 1<<20+1 || !body.closed {
				t.Errorf("%d bytes read, closed is %v; want 1 MiB and one byte, and true", body.read, body.closed)
			}
		})
	}
}

// certsBodies are bodies that come with status 200 and are no certs document.
var certsBodies = map[string]struct{ body, text string }{
	"nothing":                  {"", "unexpected end"},
	"not JSON":                 {"keys", "invalid character"},
	"HTML":                     {"<!DOCTYPE html><title>Just a moment…</title>", "invalid character"},
	"null":                     {"null", "no usable key"},
	"an array":                 {"[]", "cannot unmarshal"},
	"an empty object":          {"{}", "no usable key"},
	"no keys":                  {`{"keys":[]}`, "no usable key"},
	"keys null":                {`{"keys":null}`, "no usable key"},
	"keys an object":           {`{"keys":{}}`, "cannot unmarshal"},
	"an error of Cloudflare's": {`{"success":false,"errors":[{"code":1000}]}`, "no usable key"},
}

// Whatever the endpoint answers, if it isn't certs the last good keys stay.
func TestCertsBadAnswers(t *testing.T) {
	t.Parallel()
	team := newCertsTeam(t)
	certs := team.Certs()
	hijacked := func(use func(net.Conn)) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			defer connection.Close()
			use(connection)
		}
	}
	raw := func(answer string) http.HandlerFunc {
		return hijacked(func(c net.Conn) { _, _ = io.WriteString(c, answer) })
	}
	type answer struct {
		handler http.Handler
		text    string // of the error
	}
	answers := map[string]answer{
		"half a document":     {raw("HTTP/1.1 200 OK\r\n\r\n" + string(certs[:len(certs)/2])), "unexpected end"},
		"a document and more": {raw("HTTP/1.1 200 OK\r\n\r\n" + string(certs) + "{}"), "invalid character"},
		// The JSON is whole; that the body isn't must be enough.
		"a body cut short":          {raw("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + string(certs)), "unexpected EOF"},
		"a streamed body cut short": {raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strconv.FormatInt(int64(len(certs)), 16) + "\r\n" + string(certs) + "\r\n"), "unexpected EOF"},
		"a connection closed":       {raw(""), "EOF"},
		"a connection reset": {hijacked(func(c net.Conn) {
			_ = c.(*net.TCPConn).SetLinger(0)
		}), "reset"},
		"no HTTP":         {raw("SSH-2.0-OpenSSH_9.9\r\n"), "malformed HTTP"},
		"gzip that isn't": {raw("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + string(certs)), "gzip"},
	}
	for name, body := range certsBodies {
		answers[name] = answer{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body.body) }), body.text}
	}
	// Each with the best of documents.
	for _, status := range []int{201, 202, 203, 204, 206, 299, 300, 304, 400, 401, 403, 404, 429, 500, 502, 503, 530, 999} {
		answers["status "+strconv.Itoa(status)] = answer{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write(certs)
		}), "status " + strconv.Itoa(status)}
	}
	for name, test := range answers {
		t.Run(name, func(t *testing.T) {
			team.Recover()
			r := newCertsRig(t, team)
			r.wantRefreshed(t, 2)
			team.Handle(test.handler)
			r.wantKept(t, test.text)
			newCertsRig(t, team).want(t, team.current, ErrKeysUnavailable)
		})
	}

	t.Run("nobody listens", func(t *testing.T) {
		other := newCertsTeam(t)
		r := newCertsRig(t, other)
		r.wantRefreshed(t, 2)
		other.Close()
		r.wantKept(t, "refused")
	})
}

// A body that trickles in must not keep a fetch, and those who wait for it,
// longer than one that doesn't come at all.
func TestCertsSlowAnswers(t *testing.T) {
	t.Parallel()
	const timeout = 200 * time.Millisecond
	team := newCertsTeam(t)
	for name, slow := range map[string]func(){
		"none": team.Hang,
		"a byte a while": func() {
			certs := certsPadded(team.Certs(), 1<<20)
			team.Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ticker := time.NewTicker(5 * time.Millisecond)
				defer ticker.Stop()
				for i := range certs {
					_, _ = w.Write(certs[i : i+1])
					_ = http.NewResponseController(w).Flush()
					select {
					case <-ticker.C:
					case <-r.Context().Done():
						return
					}
				}
			}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			team.Recover()
			r := newCertsRig(t, team)
			r.wantRefreshed(t, 2)
			r.Verifier.keys.cfg.FetchTimeout = timeout // only now: a busy machine is slow, too
			slow()
			began := time.Now()
			r.wantKept(t, "deadline exceeded")
			if took := time.Since(began); took < timeout || took > 20*timeout {
				t.Errorf("took %v, want about %v", took, timeout)
			}
		})
	}
}

// Keys from another address would be anybody's.
func TestCertsRedirect(t *testing.T) {
	t.Parallel()
	team := newCertsTeam(t)
	var followed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		followed.Add(1)
		_, _ = w.Write(team.Certs())
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for name, target := range map[string]string{
			"to another host": elsewhere.URL + certsPath,
			"to itself":       certsPath,
			"nowhere":         "",
		} {
			t.Run(strconv.Itoa(status)+" "+name, func(t *testing.T) {
				team.Recover()
				r := newCertsRig(t, team)
				r.wantRefreshed(t, 2)
				before := team.Fetches()
				team.Handle(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if target != "" {
						w.Header().Set("Location", target)
					}
					w.WriteHeader(status)
					_, _ = w.Write(team.Certs())
				}))
				r.wantKept(t, "status "+strconv.Itoa(status))
				if got := team.Fetches() - before; got != 1 {
					t.Errorf("%d requests, want 1", got)
				}
			})
		}
	}
	if got := followed.Load(); got != 0 {
		t.Errorf("redirects were followed %d times", got)
	}
}

func TestCertsClient(t *testing.T) {
	t.Parallel()
	team := newCertsTeam(t)
	team.Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" {
			http.Redirect(w, r, certsPath+"?followed", http.StatusFound)
			return
		}
		_, _ = w.Write(team.Certs())
	}))
	t.Run("the user's is not changed", func(t *testing.T) {
		var asked atomic.Int64
		transport := &http.Transport{DisableKeepAlives: true}
		client := &http.Client{
			Transport:     transport,
			Timeout:       time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { asked.Add(1); return nil },
		}
		r := newCertsRig(t, team, func(c *Config) { c.HTTPClient = client })
		if err := r.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "status 302") {
			t.Errorf("got error %v, want one that says status 302", err)
		}
		if asked.Load() != 0 {
			t.Error("the user's CheckRedirect was called")
		}
		response, err := client.Get(team.URL + certsPath)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK || asked.Load() != 1 {
			t.Errorf("the user's client got status %d and asked %d times, want 200 and 1", response.StatusCode, asked.Load())
		}
		if client.Transport != transport || client.Timeout != time.Minute || client.Jar != nil {
			t.Errorf("the user's client is changed: %+v", client)
		}
	})
	t.Run("the user's transport is used", func(t *testing.T) {
		var used atomic.Int64
		r := newCertsRig(t, team, func(c *Config) {
			c.HTTPClient = &http.Client{Transport: certsTransport(func(r *http.Request) (*http.Response, error) {
				used.Add(1)
				recorder := httptest.NewRecorder()
				_, _ = recorder.Write(team.Certs())
				return recorder.Result(), nil
			})}
		})
		r.wantRefreshed(t, 2)
		if used.Load() != 1 {
			t.Errorf("used %d times, want 1", used.Load())
		}
	})
	t.Run("a change after New has no effect", func(t *testing.T) {
		client := &http.Client{}
		r := newCertsRig(t, team, func(c *Config) { c.HTTPClient = client })
		client.Transport = certsTransport(func(*http.Request) (*http.Response, error) { return nil, errors.New("the new transport") })
		if err := r.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "status 302") {
			t.Errorf("got error %v, want one that says status 302", err)
		}
	})
	t.Run("the default client is not changed", func(t *testing.T) {
		r := newCertsRig(t, team)
		if err := r.Refresh(t.Context()); err == nil {
			t.Error("the redirect was followed")
		}
		if http.DefaultClient.CheckRedirect != nil {
			t.Error("http.DefaultClient has a CheckRedirect")
		}
	})
}

func TestCertsUnusableKeys(t *testing.T) {
	t.Parallel()
	team := newCertsTeam(t)
	published := team.keys()
	for name, key := range certsUnusable {
		t.Run(name, func(t *testing.T) {
			r := newCertsRig(t, team)
			// Between the good ones: those before it and after it have to serve.
			team.serve(published[0], key, published[1])
			r.wantRefreshed(t, 2)
			r.want(t, team.current, nil)
			r.want(t, team.previous, nil)
			r.want(t, team.unknown, ErrUnknownKey)
			team.serve(key)
			r.wantKept(t, "no usable key among 1")
		})
	}
}

func TestCertsUsableKeys(t *testing.T) {
	t.Parallel()
	team := newCertsTeam(t)
	published := team.keys()
	for name, key := range certsUsable {
		t.Run(name, func(t *testing.T) {
			r := newCertsRig(t, team)
			team.serve(published[0], key, published[1])
			r.wantRefreshed(t, 3)
			team.serve(key)
			r.wantRefreshed(t, 1)
			r.want(t, team.current, ErrUnknownKey)
		})
	}
	stranger := team.SignUser(certsAudience, "eve@example.com", accesstest.SignedByStranger())
	// The team's own keys in another dress, so that tokens verify with them.
	for name, dress := range map[string]func(certsJWK){
		"tokens verify without use":         func(k certsJWK) { delete(k, "use") },
		"tokens verify without alg":         func(k certsJWK) { delete(k, "alg") },
		"tokens verify without either":      func(k certsJWK) { delete(k, "use"); delete(k, "alg") },
		"tokens verify with more members":   func(k certsJWK) { k["x5t"], k["key_ops"] = "AAAA", []string{"verify"} },
		"tokens verify with x5c of another": func(k certsJWK) { k["x5c"] = []string{"MIIB"} },
	} {
		t.Run(name, func(t *testing.T) {
			keys := make([]any, len(published))
			for i, key := range published {
				dressed := maps.Clone(key)
				dress(dressed)
				keys[len(keys)-1-i] = dressed // in reverse order, too
			}
			team.serve(keys...)
			r := newCertsRig(t, team)
			r.wantRefreshed(t, 2)
			r.want(t, team.current, nil)
			r.want(t, team.previous, nil)
			r.want(t, stranger, ErrSignature)
		})
	}
	t.Run("order means nothing", func(t *testing.T) {
		r := newCertsRig(t, team)
		for range 2 {
			team.serve(published[0], published[1])
			slices.Reverse(published)
			r.wantRefreshed(t, 2)
			r.want(t, team.current, nil)
			r.want(t, team.previous, nil)
		}
	})
}

// An x5u names an address that whoever wrote the document chose.
func TestCertsDoNotLeadElsewhere(t *testing.T) {
	t.Parallel()
	team := newCertsTeam(t)
	var connections atomic.Int64
	elsewhere := httptest.NewUnstartedServer(http.NotFoundHandler())
	elsewhere.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	elsewhere.StartTLS()
	defer elsewhere.Close()
	for _, url := range []string{elsewhere.URL, strings.Replace(elsewhere.URL, "https", "http", 1)} {
		team.serve(certsWith("x5u", url), certsWith("jku", url))
		newCertsRig(t, team).wantRefreshed(t, 1)
	}
	if got := connections.Load(); got != 0 {
		t.Errorf("%d connections were made", got)
	}
}

func TestCertsSameKidTwice(t *testing.T) {
	t.Parallel()
	team := newCertsTeam(t)
	published := team.keys()
	for name, test := range map[string]struct {
		second any
		keys   int64  // 0: a failed fetch
		text   string // of its error
	}{
		"with another modulus":             {certsWith("n", certsModulus(2049)), 0, "two keys with kid"},
		"with another exponent":            {certsWith("e", certsExponent(3, 16)), 0, "two keys with kid"},
		"with the same key":                {certsWith("", nil), 3, ""},
		"with the same key in other dress": {certsWithout("use"), 3, ""},
		// RFC 7517 section 4.5 lets keys of different types share a kid.
		"with a key that is skipped": {certsUnusable["elliptic curve"], 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			first := certsWith("", nil)
			for _, order := range [][]any{{first, test.second}, {test.second, first}} {
				team.Recover()
				r := newCertsRig(t, team)
				r.wantRefreshed(t, 2)
				team.serve(order[0], order[1], published[0], published[1])
				if test.keys == 0 {
					r.wantKept(t, test.text)
					continue
				}
				r.wantRefreshed(t, test.keys)
				r.want(t, team.current, nil)
			}
		})
	}
}

// The life of a team's keys, over a socket and with a key that is really new.
func TestCertsRotation(t *testing.T) {
	t.Parallel()
	team := newCertsTeam(t)
	r := newCertsRig(t, team)
	r.want(t, team.current, nil)
	r.want(t, team.previous, nil)
	team.Rotate()
	token := team.SignUser(certsAudience, "ada@example.com")
	var crowd sync.WaitGroup
	for range 500 {
		crowd.Go(func() {
			if _, err := r.Verify(t.Context(), token); err != nil {
				t.Errorf("after the rotation: %v", err)
			}
		})
	}
	crowd.Wait()
	r.want(t, team.current, nil) // the one that was current
	r.want(t, team.previous, ErrUnknownKey)
	if got := team.Fetches(); got != 2 {
		t.Errorf("%d fetches, want 2", got)
	}
	team.Withdraw()
	r.wantRefreshed(t, 1)
	r.want(t, token, nil)
	r.want(t, team.current, ErrUnknownKey)
}

// Neither a goroutine nor a connection is left when a fetch has ended. Not
// parallel: it counts the goroutines of the process.
func TestCertsLeaveNothingBehind(t *testing.T) {
	team := newCertsTeam(t)
	for name, mode := range map[string]func(){
		"after a good answer": team.Recover,
		"after a failure":     func() { team.Fail(http.StatusInternalServerError) },
		"after no answer":     team.Hang,
		"after too much":      func() { team.Serve(strings.Repeat(" ", 2<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			mode()
			// Time enough to connect: net/http keeps a connection that comes too
			// late for its request, for the next one.
			r := newCertsRig(t, team, func(c *Config) { c.FetchTimeout = 500 * time.Millisecond })
			_ = r.Refresh(t.Context()) // what comes of it is for other tests to look at
			// The team's side of the connection ends in its own time.
			for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					stacks := make([]byte, 1<<16)
					t.Fatalf("%d goroutines, want %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
				}
			}
		})
	}
}
