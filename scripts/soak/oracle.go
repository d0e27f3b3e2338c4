package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The codes of refusals, as the README's "What a refused client gets" has them.
const (
	codeMissing     = "token_missing"
	codeInvalid     = "token_invalid"
	codeExpired     = "token_expired"
	codeNotYet      = "token_not_yet_valid"
	codeForbidden   = "forbidden"
	codeUnavailable = "keys_unavailable"
)

// scheduling is how long a goroutine that is ready may have to wait for a core,
// on either side. It is forgiven only where two clocks are compared.
const scheduling = 300 * time.Millisecond

// A truth is what the soak knows of a request, since it made it.
type truth struct {
	kid     string    // the key that decides; empty if none is asked for
	expires time.Time // zero: that is not what it is about
	code    string    // of the refusal, once the key is known; empty: it is good
	body    string    // of the answer to a good one
	denied  bool      // a good one's owner may not see the page: 403
	behind  bool      // a bad cookie, whose error counts if this one fails, too
}

// An outcome is what a client sees of an answer. code is empty in one of 200.
type outcome struct {
	status int
	code   string
	body   string // of one of 200
}

func (o outcome) String() string {
	if o.status == http.StatusOK {
		return fmt.Sprintf("200 %.60q", o.body)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", o.status, o.code))
}

// An oracle says which answers are right.
type oracle struct {
	pace pace
	keys *keyring
}

// allowed returns the answers that are right for a request which was sent and
// answered then, by a server that may have known what v has.
func (o *oracle) allowed(t truth, v view, sent, answered time.Time) []outcome {
	if t.kid == "" {
		return t.known(sent, answered)
	}
	var right []outcome
	add := func(more ...outcome) {
		for _, one := range more {
			if !slices.Contains(right, one) {
				right = append(right, one)
			}
		}
	}
	invalid := outcome{status: http.StatusUnauthorized, code: codeInvalid}
	if t.code == codeInvalid {
		add(invalid) // how much of a token is read before its key is sought is open
	}
	for _, set := range v.sets {
		// "older than MaxStale and fetching fails | ErrKeysUnavailable (503)".
		// The age is since the fetch began, somewhat before the transport saw it:
		// hence the tolerance.
		if v.failing && answered.After(set.earliest.Add(o.pace.MaxStale-scheduling)) {
			add(outcome{status: http.StatusServiceUnavailable, code: codeUnavailable})
		}
		if sent.After(set.latest.Add(o.pace.MaxStale)) {
			continue // and from then on they are no good for anything else
		}
		if slices.Contains(set.kids, t.kid) {
			add(t.known(sent, answered)...)
			continue
		}
		if o.mayRefuse(t.kid, set, v, sent, answered) {
			add(invalid)
		}
	}
	return right
}

// known returns the answers that are right where the key is known: one, unless
// the token expired meanwhile. "leeway on all": good until exp + leeway.
func (t truth) known(sent, answered time.Time) []outcome {
	if t.code != "" {
		return []outcome{{status: http.StatusUnauthorized, code: t.code}}
	}
	good := outcome{status: http.StatusOK, body: t.body}
	if t.denied {
		good = outcome{status: http.StatusForbidden, code: codeForbidden}
	}
	expired := outcome{status: http.StatusUnauthorized, code: codeExpired}
	if t.behind {
		expired.code = codeInvalid // "when none does, the first one's error"
	}
	switch {
	case t.expires.IsZero() || answered.Before(t.expires):
		return []outcome{good}
	case !sent.Before(t.expires):
		return []outcome{expired}
	default:
		return []outcome{good, expired}
	}
}

// mayRefuse reports whether a token may be refused for a key that isn't in the
// set.
func (o *oracle) mayRefuse(kid string, set keyset, v view, sent, answered time.Time) bool {
	published := o.keys.published(kid)
	// "key gone from a newer document | tokens it signed are refused from then
	// on", and a key that never was has never been in one.
	if published.IsZero() || set.servedAt.After(published) {
		return true
	}
	// It is newer than the set. "unknown kid, cooldown over | one fetch, shared
	// by all who wait; then look again" would find it, but
	//   - "retry with backoff": none is made while the last one failed;
	//   - FetchTimeout bounds "any wait for one";
	//   - "unknown kid, within cooldown | ErrUnknownKey at once". A fetch that
	//     started the cooldown and was served later has brought the key: whoever
	//     came meanwhile shares it, and is not to be refused.
	if v.failing || answered.Sub(sent) >= o.pace.FetchTimeout {
		return true
	}
	return slices.ContainsFunc(v.unknowns, func(f fetch) bool {
		return f.servedAt.Before(published) && sent.Before(f.begunAt.Add(o.pace.Cooldown))
	})
}

// judge returns what is wrong with an answer, or nil.
func (o *oracle) judge(t truth, v view, got outcome, sent, answered time.Time) *offence {
	right := o.allowed(t, v, sent, answered)
	if slices.Contains(right, got) {
		return nil
	}
	return &offence{what: blame(t, got, right), expected: describe(right), got: got.String()}
}

// blame names what is wrong.
func blame(t truth, got outcome, right []outcome) verdict {
	accepts := slices.ContainsFunc(right, func(o outcome) bool { return o.status == http.StatusOK })
	switch {
	case got.status == http.StatusOK && accepts:
		return wrongIdentity
	case got.status == http.StatusOK:
		return falseAccept
	case got.status == http.StatusServiceUnavailable:
		return unavailable
	case got.status >= http.StatusInternalServerError:
		return serverError
	case (accepts || len(right) == 0) && got.status == http.StatusUnauthorized:
		return falseRefusal
	default:
		return wrongRefusal
	}
}

func describe(right []outcome) string {
	if len(right) == 0 {
		return "to wait for a fetch of its key"
	}
	words := make([]string, len(right))
	for i, o := range right {
		words[i] = o.String()
	}
	return strings.Join(words, " or ")
}
