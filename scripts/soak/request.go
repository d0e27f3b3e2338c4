package main

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// A request is what a client sends, and the truth about it.
type request struct {
	kind  string // for people
	path  string
	lines []string // of the header, beside Host
	truth truth
	valid bool // a good token's: its latency counts
}

// bytes is the request as it goes over the wire.
func (r *request) bytes() []byte {
	var b strings.Builder
	b.WriteString("GET " + r.path + " HTTP/1.1\r\nHost: soak\r\n")
	for _, line := range r.lines {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

const (
	greetPath = "/"
	adminPath = "/admin/users"
	adminBody = "You are an administrator.\n"
)

// A composer makes requests of what is in the wallet. Which kind, whose session
// and how it is carried is up to random alone, so a seed makes the same choices;
// only the tokens are others in each run.
type composer struct {
	random    *rand.Rand
	wallet    *wallet
	forger    *forger
	forgeries []*forgery
	leeway    time.Duration
}

// ordinary makes the next request of people, services and their forgers.
func (c *composer) ordinary() *request {
	switch x := c.random.IntN(100); {
	case x < 56:
		return c.greet("user", popular(c.random, c.wallet.users))
	case x < 63:
		return c.greet("service", popular(c.random, c.wallet.bots))
	case x < 69:
		return c.greet("short session", popular(c.random, c.wallet.short))
	case x < 75:
		return c.admin(popular(c.random, c.wallet.users))
	case x < 95:
		return c.forged(c.forgeries[c.random.IntN(len(c.forgeries))])
	case x < 98:
		return &request{kind: "nobody", path: greetPath, lines: []string{c.email()}, truth: truth{code: codeMissing}}
	default:
		return &request{kind: "health check", path: "/healthz", truth: truth{body: "ok\n"}, valid: true}
	}
}

// greet asks a server who it is that asks.
func (c *composer) greet(kind string, s *session) *request {
	t := s.token.Load()
	r := &request{kind: kind, path: greetPath, truth: c.truthOf(t), valid: true}
	switch x := c.random.IntN(100); {
	case x < 50:
		r.lines = inHeader(t.raw)
	case x < 70:
		r.kind, r.lines = kind+" by cookie", inCookie(t.raw)
	case x < 85:
		r.kind, r.lines = kind+" by both", append(inHeader(t.raw), inCookie(t.raw)...)
	case x < 93:
		r.kind, r.lines = kind+" after a bad cookie", inCookie(c.broken(t.raw), t.raw)
		r.truth.behind = true
	default:
		r.kind, r.lines = kind+" with another's email", append(inHeader(t.raw), c.email())
	}
	return r
}

func (c *composer) admin(s *session) *request {
	t := s.token.Load()
	r := &request{kind: "administrator", path: adminPath, lines: inHeader(t.raw), truth: c.truthOf(t), valid: true}
	r.truth.body, r.truth.denied = adminBody, !t.admin
	if r.truth.denied {
		r.kind, r.valid = "no administrator", false
	}
	return r
}

func (c *composer) forged(kind *forgery) *request {
	good := popular(c.random, c.wallet.users).token.Load()
	other := c.wallet.users[0].token.Load()
	if other.raw == good.raw {
		other = c.wallet.users[1].token.Load()
	}
	raw := c.forger.forge(kind, good.raw, other.raw)
	r := &request{kind: kind.name, path: greetPath, lines: kind.lines(raw, good.raw), truth: truth{code: kind.code()}}
	if c.random.IntN(4) == 0 {
		r.path = adminPath
	}
	if !kind.early {
		r.truth.kid = kidOf(raw)
	}
	return r
}

// strange makes the next request of strangers: their keys are in no document.
// It is nil if it takes a withdrawn key and there is none yet.
func (c *composer) strange() *request {
	r := &request{path: greetPath}
	switch x := c.random.IntN(6); {
	case x == 0:
		// Good for whoever follows a redirect to that team's keys.
		r.kind, r.lines = "another team's key", inHeader(c.wallet.foreign)
		r.truth = truth{kid: kidOf(c.wallet.foreign), code: codeInvalid}
		return r
	case x < 3:
		t := c.wallet.exhume(c.random)
		if t == nil {
			return nil
		}
		r.kind, r.lines, r.truth = "withdrawn key", inHeader(t.raw), c.truthOf(t)
		return r
	}
	header, payload, signature := segments(popular(c.random, c.wallet.users).token.Load().raw)
	kid := c.madeUp()
	header = edit(header, kidOf(header+"."), kid)
	r.kind, r.lines = "made-up kid", inHeader(join(header, payload, signature))
	r.truth = truth{kid: kid, code: codeInvalid}
	return r
}

// truthOf is the truth about a good token.
func (c *composer) truthOf(t *token) truth {
	return truth{kid: t.kid, expires: t.expires.Add(c.leeway), body: t.greeting}
}

func (c *composer) broken(raw string) string {
	header, payload, signature := segments(raw)
	return join(header, payload, flip(signature, c.random.IntN(len(signature)-1)))
}

// email is a forged header that would make anybody an administrator.
func (c *composer) email() string { return core.EmailHeader + ": " + victim }

// madeUp returns a key id that nobody has.
func (c *composer) madeUp() string {
	const digits = "0123456789abcdef"
	kid := make([]byte, 64)
	for i := range kid {
		kid[i] = digits[c.random.IntN(len(digits))]
	}
	return string(kid)
}
