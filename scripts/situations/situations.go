package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A situation is something that goes wrong at Access or at a client.
type situation struct {
	name      string
	refreshes bool                     // the library fetches the keys again at an interval
	run       func(v *verifier) string // returns what the verifier did
}

// The names of the situations repeat these numbers.
const (
	tokens   = 200
	requests = 500
	users    = 50 // who send the requests
	bodySize = 200 << 20
)

var situations = []situation{
	{"200 tokens with made-up kids", false, func(v *verifier) string {
		return sendBad(v, v.signMadeUpKid)
	}},
	{"200 tokens with made-up kids while the certs endpoint answers 500", false, func(v *verifier) string {
		v.team.Fail(http.StatusInternalServerError)
		return sendBad(v, v.signMadeUpKid)
	}},
	{"200 forged signatures under a known kid", false, func(v *verifier) string {
		return sendBad(v, func(user int) string { return v.sign(user, accesstest.SignedByStranger()) })
	}},
	{"key rotated, then 500 concurrent requests with the new key", false, rotated},
	{"certs endpoint answers `{}` from a made-up kid on", false, func(v *verifier) string {
		v.team.Serve("{}")
		v.accepts(v.signMadeUpKid(0))
		time.Sleep(fetchTime)
		return v.verdict(v.accepts(v.session))
	}},
	{"certs endpoint answers `{}` from a refresh on", true, func(v *verifier) string {
		v.team.Serve("{}")
		return v.verdict(v.pollSession())
	}},
	{"certs endpoint answers 500 from a refresh on", true, func(v *verifier) string {
		v.team.Fail(http.StatusInternalServerError)
		return v.verdict(v.pollSession())
	}},
	{"certs body of 200 MB", true, largeBody},
	{"key of an unknown type beside good ones", true, unknownKeyType},
	{"key withdrawn", true, func(v *verifier) string {
		v.team.Rotate()
		v.team.Withdraw()
		return v.verdict(v.pollSession())
	}},
	{"last character of the signature re-encoded", false, respelled},
	{"token without a kid", false, oneToken(accesstest.WithoutHeader("kid"))},
	{"`type: org` token", false, oneToken(accesstest.WithClaim("type", "org"))},
	{"`crit` header", false, oneToken(accesstest.WithHeader("crit", []string{"example"}), accesstest.WithHeader("example", true))},
	{"no `exp`", false, oneToken(accesstest.WithoutClaim("exp"))},
}

func oneToken(options ...accesstest.Option) func(*verifier) string {
	return func(v *verifier) string { return verdict(v.accepts(v.sign(0, options...))) }
}

// sendBad sends bad tokens one after the other. It returns the fetches that they
// cause.
func sendBad(v *verifier, sign func(user int) string) string {
	for user := range tokens {
		if v.accepts(sign(user)) {
			return "accepted"
		}
	}
	return v.fetched()
}

func rotated(v *verifier) string {
	v.team.Rotate()
	var byUser [users]string
	for user := range byUser {
		byUser[user] = v.sign(user)
	}
	var accepted atomic.Int64
	var group sync.WaitGroup
	begin := make(chan struct{})
	for i := range requests {
		group.Go(func() {
			<-begin
			if v.accepts(byUser[i%users]) {
				accepted.Add(1)
			}
		})
	}
	close(begin)
	group.Wait()
	return fmt.Sprintf("%d of %d accepted, %s", accepted.Load(), requests, v.fetched())
}

// oneLargeBody is held while a library is sent the large body, which may take a
// gigabyte of memory.
var oneLargeBody sync.Mutex

func largeBody(v *verifier) string {
	oneLargeBody.Lock()
	defer oneLargeBody.Unlock()
	written := make(chan error, 1)
	v.team.Handle(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		err := writeLarge(w)
		select {
		case written <- err:
		default: // only the first answer counts
		}
	}))
	accepted := true
	fetching := v.poll(func() bool {
		accepted = accepted && v.accepts(v.session)
		return v.team.Fetches() > v.before
	})
	if !fetching {
		v.accepts(v.signMadeUpKid(0))
	}
	if v.fetches() == 0 {
		return v.verdict(accepted && v.accepts(v.session))
	}
	read := "read to its end"
	if err := <-written; err != nil {
		read = "cut off"
	}
	// Parsing the body takes a while.
	return read + ", " + verdict(v.pollSession() && accepted)
}

// writeLarge writes a JSON object of about bodySize bytes.
func writeLarge(w io.Writer) error {
	padding := strings.Repeat("x", 1<<20)
	_, err := io.WriteString(w, `{"padding":"`)
	for range bodySize / len(padding) {
		if err == nil {
			_, err = io.WriteString(w, padding)
		}
	}
	if err == nil {
		_, err = io.WriteString(w, `"}`)
	}
	return err
}

func unknownKeyType(v *verifier) string {
	v.team.Rotate()
	unknown := fmt.Sprintf(`{"kid":"%064x","kty":"AKP","alg":"ML-DSA-44","use":"sig","pub":"%s"}`, 0, strings.Repeat("A", 1750))
	start, end, _ := strings.Cut(string(v.team.Certs()), "[") // the array of keys
	v.team.Serve(start + "[" + unknown + "," + end)
	token := v.sign(0)
	accepted := v.poll(func() bool { return v.accepts(token) })
	return fmt.Sprintf("old key %s, new key %s", verdict(v.accepts(v.session)), verdict(accepted))
}

// respelled tries each possible last character of the signature.
func respelled(v *verifier) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" // RFC 4648, section 5
	spellings := 0
	for _, last := range alphabet {
		if v.accepts(v.session[:len(v.session)-1] + string(last)) {
			spellings++
		}
	}
	if spellings == 1 {
		return "refused"
	}
	return fmt.Sprintf("accepted: %d spellings", spellings)
}
