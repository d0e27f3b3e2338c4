package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Refusal is what a refused client is told: a problem document (RFC 9457) and
// its headers. It never says what was expected, but for the issuer, which is the
// realm of a challenge. It is a value of its own for each request; an
// ErrorHandler may change it before it is sent.
type Refusal struct {
	Status     int           // HTTP status: 401, 403, 503, or 500 for an error that isn't this package's
	Code       string        // for programs, such as "token_expired"; stable
	Title      string        // the status in words
	Detail     string        // for people
	RetryAfter time.Duration // for the Retry-After header, sent in whole seconds; 0: no header
	Challenge  string        // for the WWW-Authenticate header (RFC 6750 section 3); empty: no header
}

// realm is the challenge's realm where the issuer isn't known.
const realm = "Cloudflare Access"

// The time a client is asked to wait where the time of the next fetch is not
// known, or has come.
const (
	defaultRetryAfter = 5 * time.Second
	leastRetryAfter   = time.Second
)

// Refuse returns what a client is told of err. It never returns nil.
//
//	ErrNoToken                              401 token_missing
//	ErrMalformed, ErrUnknownKey,
//	ErrSignature, ErrIssuer,
//	ErrAudience, ErrTokenType               401 token_invalid
//	ErrExpired                              401 token_expired
//	ErrNotYetValid                          401 token_not_yet_valid
//	ErrForbidden                            403 forbidden
//	ErrKeysUnavailable                      503 keys_unavailable, with RetryAfter
//	ErrPolicyUnavailable                    503 policy_unavailable, with RetryAfter
//	anything else                           500 internal_error
func Refuse(err error) *Refusal {
	r := &Refusal{}
	switch classOf(err) {
	case ErrNoToken:
		r.Status, r.Code = http.StatusUnauthorized, "token_missing"
		r.Detail = "This needs a sign-in through Cloudflare Access."
	case ErrMalformed, ErrUnknownKey, ErrSignature, ErrIssuer, ErrAudience, ErrTokenType:
		r.Status, r.Code = http.StatusUnauthorized, "token_invalid"
		r.Detail = "The Access token is not valid here."
	case ErrExpired:
		r.Status, r.Code = http.StatusUnauthorized, "token_expired"
		r.Detail = "The Access token has expired."
	case ErrNotYetValid:
		r.Status, r.Code = http.StatusUnauthorized, "token_not_yet_valid"
		r.Detail = "The Access token is not valid yet."
	case ErrForbidden:
		r.Status, r.Code = http.StatusForbidden, "forbidden"
		r.Detail = "You are signed in, but not allowed to do this."
	case ErrKeysUnavailable:
		r.Status, r.Code = http.StatusServiceUnavailable, "keys_unavailable"
		r.Detail = "The Access token can't be checked at the moment."
		r.RetryAfter = retryAfter(err)
	case ErrPolicyUnavailable:
		r.Status, r.Code = http.StatusServiceUnavailable, "policy_unavailable"
		r.Detail = "Your permission can't be checked at the moment."
		r.RetryAfter = retryAfter(err)
	default:
		r.Status, r.Code = http.StatusInternalServerError, "internal_error"
		r.Detail = "The request could not be handled."
	}
	r.Title = http.StatusText(r.Status)
	if r.Status == http.StatusUnauthorized {
		r.Challenge = challenge(err, r)
	}
	return r
}

// challenge returns the WWW-Authenticate value of a 401. RFC 6750 section 3.1:
// no error attribute for a request that carried no token.
func challenge(err error, r *Refusal) string {
	realm := realm
	if refused, ok := errors.AsType[*refusedError](err); ok {
		realm = refused.issuer
	}
	if r.Code == "token_missing" {
		return fmt.Sprintf("Bearer realm=%q", realm)
	}
	return fmt.Sprintf("Bearer realm=%q, error=\"invalid_token\", error_description=%q", realm, r.Detail)
}

func retryAfter(err error) time.Duration {
	if unavailable, ok := errors.AsType[*keysUnavailableError](err); ok {
		return max(unavailable.retryAfter, leastRetryAfter)
	}
	return defaultRetryAfter
}

// Header returns the header fields of the answer, in a map of the caller's.
func (r *Refusal) Header() http.Header {
	h := http.Header{
		"Content-Type": {"application/problem+json"},
		// The edge in front is a cache; what it is told of one caller is not
		// for the next.
		"Cache-Control": {"no-store"},
	}
	if r.Challenge != "" {
		h["Www-Authenticate"] = []string{r.Challenge}
	}
	if r.RetryAfter > 0 {
		seconds := (r.RetryAfter + time.Second - 1) / time.Second
		h["Retry-After"] = []string{strconv.Itoa(int(seconds))}
	}
	return h
}

// MarshalJSON returns the problem document.
func (r *Refusal) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
	}{
		// RFC 9457 section 4.2.1: nothing beyond the status and the code.
		Type: "about:blank", Title: r.Title, Status: r.Status, Detail: r.Detail, Code: r.Code,
	})
}

// Body returns the problem document as it is sent: JSON and a newline.
func (r *Refusal) Body() []byte {
	body, err := json.Marshal(r)
	if err != nil {
		panic("cfaccess: strings and a number can't be marshalled: " + err.Error())
	}
	return append(body, '\n')
}

// ServeHTTP answers req with the refusal; a HEAD request gets no body. It has
// the form of http.Handler.
func (r *Refusal) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	maps.Copy(w.Header(), r.Header())
	w.WriteHeader(r.Status)
	if req.Method != http.MethodHead {
		_, _ = w.Write(r.Body()) // fails only where the client is gone
	}
}
