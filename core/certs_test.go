package core

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// madeKey returns a usable key with one member changed, or none if the name is
// empty.
func madeKey(name string, value any) jsonKey {
	key := jsonKey{"kid": "made", "kty": "RSA", "alg": "RS256", "use": "sig", "e": "AQAB", "n": modulus(2048)}
	if name != "" {
		key[name] = value
	}
	return key
}

func madeKeyWithout(name string) jsonKey {
	key := madeKey("", nil)
	delete(key, name)
	return key
}

// modulus returns an odd number of so many bits. Nobody checks that it is the
// product of two primes.
func modulus(bits uint) string {
	one := big.NewInt(1)
	return encodeSegment(new(big.Int).Sub(new(big.Int).Lsh(one, bits), one).Bytes())
}

// exponent returns add + 2^power.
func exponent(add int64, power uint) string {
	n := new(big.Int).Lsh(big.NewInt(1), power)
	return encodeSegment(n.Add(n, big.NewInt(add)).Bytes())
}

var (
	unusableKeys = map[string]any{
		"null":                nil,
		"a number":            7,
		"an array":            []any{},
		"an empty object":     jsonKey{},
		"no kid":              madeKeyWithout("kid"),
		"kid empty":           madeKey("kid", ""),
		"kid a number":        madeKey("kid", 7),
		"no kty":              madeKeyWithout("kty"),
		"kty in lower case":   madeKey("kty", "rsa"),
		"kty unknown":         madeKey("kty", "AKP"),
		"elliptic curve":      jsonKey{"kid": "made", "kty": "EC", "alg": "ES256", "use": "sig", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
		"Ed25519":             jsonKey{"kid": "made", "kty": "OKP", "alg": "EdDSA", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
		"symmetric":           jsonKey{"kid": "made", "kty": "oct", "alg": "HS256", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"},
		"use enc":             madeKey("use", "enc"),
		"alg RS512":           madeKey("alg", "RS512"),
		"alg none":            madeKey("alg", "none"),
		"no n":                madeKeyWithout("n"),
		"n empty":             madeKey("n", ""),
		"n not base64":        madeKey("n", "no base64"),
		"n in another base64": madeKey("n", strings.ReplaceAll(modulus(2048), "_", "/")),
		"2047 bits":           madeKey("n", modulus(2047)),
		"8193 bits":           madeKey("n", modulus(8193)),
		"an even modulus":     madeKey("n", exponent(0, 2047)),
		"no e":                madeKeyWithout("e"),
		"e empty":             madeKey("e", ""),
		"e not base64":        madeKey("e", "=AQAB"),
		"e of 1":              madeKey("e", "AQ"),
		"e of 3":              madeKey("e", "Aw"),
		"e of 65536":          madeKey("e", exponent(0, 16)),
		"e of 65538, even":    madeKey("e", exponent(2, 16)),
		"e of 2^31 + 1":       madeKey("e", exponent(1, 31)),     // more than crypto/rsa takes
		"e of 65537 + 2^64":   madeKey("e", exponent(65537, 64)), // 65537 in 64 bits
		"e of 65537 + 2^63":   madeKey("e", exponent(65537, 63)), // negative in 64 bits
	}
	usableKeys = map[string]any{
		"as Access has it": madeKey("", nil),
		"no use":           madeKeyWithout("use"),
		"use empty":        madeKey("use", ""),
		"no alg":           madeKeyWithout("alg"),
		"2048 bits":        madeKey("n", modulus(2048)),
		"8192 bits":        madeKey("n", modulus(8192)),
		"e of 65539":       madeKey("e", exponent(3, 16)),
		"e of 2^31 - 1":    madeKey("e", exponent(-1, 31)),
		"unknown members":  madeKey("x-new", jsonKey{"deep": []any{1, nil}}),
		"x5c nonsense":     madeKey("x5c", []any{"nonsense"}),
		"key_ops nonsense": madeKey("key_ops", []any{"nonsense"}),
		"a long kid":       madeKey("kid", strings.Repeat("k", 10_000)),
		// The author of the document would choose such an address.
		"x5u":          madeKey("x5u", "https://127.0.0.1:1/x5u"),
		"x5u nonsense": madeKey("x5u", "http://[nonsense"),
	}
	// notCerts are bodies that come with status 200 and are no certs document.
	notCerts = map[string]struct{ body, text string }{
		"nothing":                  {"", "unexpected end"},
		"not JSON":                 {"keys", "invalid character"},
		"HTML":                     {"<!DOCTYPE html><title>Just a moment…</title>", "invalid character"},
		"null":                     {"null", "no usable key"},
		"an array":                 {"[]", "cannot unmarshal"},
		"an empty object":          {"{}", "no usable key"},
		"keys null":                {`{"keys":null}`, "no usable key"},
		"keys an object":           {`{"keys":{}}`, "cannot unmarshal"},
		"an error of Cloudflare's": {`{"success":false,"errors":[{"code":1000}]}`, "no usable key"},
	}
)

// wantKeys fails the test unless a fetch brings so many usable keys.
func wantKeys(t *testing.T, r *rig, want int) {
	t.Helper()
	r.refresh(t)
	if got := r.fetched[len(r.fetched)-1].Keys; got != want {
		t.Errorf("%d usable keys, want %d", got, want)
	}
}

// wantKept fails the test unless a fetch fails with an error of this text, and
// the keys of before stay.
func wantKept(t *testing.T, r *rig, text string) {
	t.Helper()
	err := r.Refresh(t.Context())
	wantClass(t, err, ErrKeysUnavailable)
	wantText(t, err, text)
	verified(t, r, signUser())
	verified(t, r, signUser(byPreviousKey))
}

func TestCertsSomeKeysUnusable(t *testing.T) {
	r := newRig(t, noCache)
	for name, key := range unusableKeys {
		t.Run(name, func(t *testing.T) {
			r.endpoint.set(func() { r.endpoint.body = certsDocument([]any{previousKey, key, currentKey}) })
			wantKeys(t, r, 2)
			verified(t, r, signUser())
			verified(t, r, signUser(byPreviousKey))
			r.endpoint.set(func() { r.endpoint.body = certsDocument([]any{key}) })
			wantKept(t, r, "no usable key among 1")
		})
	}
}

func TestCertsUsableKeys(t *testing.T) {
	r := newRig(t, noCache)
	for name, key := range usableKeys {
		t.Run(name, func(t *testing.T) {
			requests := len(r.endpoint.requests())
			r.endpoint.set(func() { r.endpoint.body = certsDocument([]any{key, currentKey}) })
			wantKeys(t, r, 2)
			if n := len(r.endpoint.requests()) - requests; n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
	// The team's own keys, so that tokens verify with them.
	for name, change := range map[string]func(jsonKey){
		"tokens verify without use": func(k jsonKey) { delete(k, "use") },
		"tokens verify without alg": func(k jsonKey) { delete(k, "alg") },
	} {
		t.Run(name, func(t *testing.T) {
			keys := []jsonKey{maps.Clone(currentKey), maps.Clone(previousKey)} // the order means nothing
			change(keys[0])
			change(keys[1])
			r.endpoint.publish(keys...)
			wantKeys(t, r, 2)
			verified(t, r, signUser())
			verified(t, r, signUser(byPreviousKey))
			_, err := r.Verify(t.Context(), signUser(forged))
			wantClass(t, err, ErrSignature)
		})
	}
}

func TestCertsSameKidTwice(t *testing.T) {
	for name, test := range map[string]struct {
		second any
		keys   int // 0: a failed fetch
	}{
		"another modulus":           {madeKey("n", modulus(2049)), 0},
		"another exponent":          {madeKey("e", exponent(3, 16)), 0},
		"the same key":              {madeKey("", nil), 3},
		"the same key, without use": {madeKeyWithout("use"), 3},
		// RFC 7517 section 4.5 lets keys of different types share a kid.
		"a key that is skipped": {unusableKeys["elliptic curve"], 3},
	} {
		t.Run(name, func(t *testing.T) {
			for _, keys := range [][]any{{madeKey("", nil), test.second}, {test.second, madeKey("", nil)}} {
				r := newRig(t, noCache)
				r.refresh(t)
				r.endpoint.set(func() { r.endpoint.body = certsDocument(append(keys, previousKey, currentKey)) })
				if test.keys == 0 {
					wantKept(t, r, "two keys with kid")
				} else {
					wantKeys(t, r, test.keys)
				}
			}
		})
	}
}

// server is a certs endpoint on a real socket.
type server struct {
	*httptest.Server
	handler atomic.Pointer[http.HandlerFunc]
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.handler.Load())(w, r) }))
	t.Cleanup(s.Close)
	s.answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(team.Certs()) })
	return s
}

func (s *server) answer(handler http.HandlerFunc) { s.handler.Store(&handler) }

// fetchedFrom makes a verifier fetch with its own client. A busy machine may be
// slow.
func fetchedFrom(s *server) func(*Config) {
	return func(c *Config) {
		c.Endpoint, c.HTTPClient, c.FetchTimeout, c.TokenCacheBytes = s.URL, nil, time.Minute, -1
	}
}

// Whatever the endpoint answers, if it isn't certs the last good keys stay.
func TestCertsBadAnswers(t *testing.T) {
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
		handler http.HandlerFunc
		text    string // of the error
	}
	answers := map[string]answer{
		"half a document":     {raw("HTTP/1.1 200 OK\r\n\r\n" + string(certs[:len(certs)/2])), "unexpected end"},
		"a document and more": {raw("HTTP/1.1 200 OK\r\n\r\n" + string(certs) + "{}"), "invalid character"},
		// The JSON is whole, the body isn't.
		"a body cut short":          {raw("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + string(certs)), "unexpected EOF"},
		"a streamed body cut short": {raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strconv.FormatInt(int64(len(certs)), 16) + "\r\n" + string(certs) + "\r\n"), "unexpected EOF"},
		"a connection closed":       {raw(""), "EOF"},
		"a connection reset":        {hijacked(func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }), "reset"},
		"no HTTP":                   {raw("SSH-2.0-OpenSSH_9.9\r\n"), "malformed HTTP"},
		"gzip that isn't":           {raw("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + string(certs)), "gzip"},
	}
	for name, body := range notCerts {
		answers[name] = answer{func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body.body) }, body.text}
	}
	for _, status := range []int{201, 203, 204, 206, 299, 300, 304, 400, 403, 404, 429, 500, 503, 530, 999} {
		answers["status "+strconv.Itoa(status)] = answer{func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write(certs)
		}, "status " + strconv.Itoa(status)}
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		for to, target := range map[string]string{"another host": "http://127.0.0.2:1" + certsPath, "itself": certsPath, "nowhere": ""} {
			answers["redirect "+strconv.Itoa(status)+" to "+to] = answer{func(w http.ResponseWriter, _ *http.Request) {
				if target != "" {
					w.Header().Set("Location", target)
				}
				w.WriteHeader(status)
				_, _ = w.Write(certs)
			}, "status " + strconv.Itoa(status)}
		}
	}
	for name, test := range answers {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			r := newRig(t, fetchedFrom(s))
			wantKeys(t, r, 2)
			s.answer(test.handler)
			wantKept(t, r, test.text)
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		s := newServer(t)
		r := newRig(t, fetchedFrom(s))
		wantKeys(t, r, 2)
		s.Close()
		wantKept(t, r, "refused")
	})
}

// A body over 1 MiB is a failed fetch, whether or not its size is known beforehand.
func TestCertsSize(t *testing.T) {
	for name, write := range map[string]func(w http.ResponseWriter, body []byte){
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
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			r := newRig(t, fetchedFrom(s))
			serve := func(size int) {
				document := team.Certs()
				body := append(document, bytes.Repeat([]byte(" "), size-len(document))...)
				s.answer(func(w http.ResponseWriter, _ *http.Request) { write(w, body) })
			}
			serve(1 << 20)
			wantKeys(t, r, 2)
			serve(1<<20 + 1)
			wantKept(t, r, "body over 1048576 bytes")
			serve(20 << 20) // of which little is read
			wantKept(t, r, "body over 1048576 bytes")
		})
	}
}

// A body that comes slowly keeps a fetch no longer than one that doesn't come.
func TestCertsSlowBody(t *testing.T) {
	const timeout = 200 * time.Millisecond
	s := newServer(t)
	r := newRig(t, fetchedFrom(s))
	wantKeys(t, r, 2)
	r.keys.cfg.FetchTimeout = timeout // only now, since a busy machine is slow too
	s.answer(func(w http.ResponseWriter, r *http.Request) {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			<-ticker.C
		}
	})
	began := time.Now()
	wantKept(t, r, "deadline exceeded")
	if took := time.Since(began); took < timeout || took > 20*timeout {
		t.Errorf("took %v, want about %v", took, timeout)
	}
}

func TestCertsHTTPClient(t *testing.T) {
	s := newServer(t)
	s.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" {
			http.Redirect(w, r, certsPath+"?followed", http.StatusFound)
			return
		}
		_, _ = w.Write(team.Certs())
	})
	t.Run("the user's is not changed, and its CheckRedirect not asked", func(t *testing.T) {
		var asked atomic.Int64
		client := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { asked.Add(1); return nil }}
		r := newRig(t, fetchedFrom(s), func(c *Config) { c.HTTPClient = client })
		wantText(t, r.Refresh(t.Context()), "status 302")
		response, err := client.Get(s.URL + certsPath)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK || asked.Load() != 1 || client.Transport != nil || client.Timeout != time.Minute {
			t.Errorf("the client got status %d, asked %d times and is %+v", response.StatusCode, asked.Load(), client)
		}
	})
	t.Run("a transport that follows redirects itself is a failed fetch", func(t *testing.T) {
		r := newRig(t, fetchedFrom(s), func(c *Config) {
			c.HTTPClient = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) { return http.Get(r.URL.String()) })}
		})
		wantText(t, r.Refresh(t.Context()), "answered by "+s.URL+certsPath+"?followed")
		_, err := r.Verify(t.Context(), signUser())
		wantClass(t, err, ErrKeysUnavailable)
	})
	// Any package can change http.DefaultTransport.
	t.Run("without a transport it has its own", func(t *testing.T) {
		defer func(original http.RoundTripper) { http.DefaultTransport = original }(http.DefaultTransport)
		http.DefaultTransport = transport(func(*http.Request) (*http.Response, error) { return nil, errors.New("the default transport was used") })
		other := newServer(t)
		for name, client := range map[string]*http.Client{"no client": nil, "a client": {Timeout: time.Minute}} {
			r := newRig(t, fetchedFrom(other), func(c *Config) { c.HTTPClient = client })
			if err := r.Refresh(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			own, ok := r.keys.cfg.HTTPClient.Transport.(*http.Transport)
			if !ok || own.Proxy == nil || !own.ForceAttemptHTTP2 || own.TLSClientConfig.MinVersion != tls.VersionTLS12 || own.TLSClientConfig.InsecureSkipVerify {
				t.Errorf("%s: the transport is %+v", name, own)
			}
		}
	})
}

// No goroutine and no connection is left when a fetch has ended.
func TestCertsLeaveNothingBehind(t *testing.T) {
	s := newServer(t)
	before := runtime.NumGoroutine()
	for name, handler := range map[string]http.HandlerFunc{
		"after a good answer": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(team.Certs()) },
		"after a failure":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"after no answer":     func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"after too much":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte(" "), 2<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			s.answer(handler)
			_ = newRig(t, fetchedFrom(s), func(c *Config) { c.FetchTimeout = 500 * time.Millisecond }).Refresh(t.Context())
		})
	}
	// The server's side of the connections ends in its own time.
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, want %d:\n%s", runtime.NumGoroutine(), before, slices.Clip(stacks[:runtime.Stack(stacks, true)]))
		}
	}
}
