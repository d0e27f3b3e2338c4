package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Refusal is the answer to a refused client: a problem document (RFC 9457) and
// its headers. The issuer, as the realm of a challenge, is the only expected value
// in it. Each request has its own Refusal, and an ErrorHandler may change it. It
// is an error too: its text is Detail, fit for the client. errors.Is and
// errors.As find the cause, which is for the operator.
type Refusal struct {
	Status     int           // HTTP status: 401, 403, 503, or 500 for an error that isn't this package's
	Code       string        // for programs, such as "token_expired"; stable
	Title      string        // the status in words
	Detail     string        // for people
	RetryAfter time.Duration // for the Retry-After header, sent in whole seconds; 0: no header
	Challenge  string        // for the WWW-Authenticate header (RFC 6750 section 3); empty: no header

	cause error
}

// refusals are the answers to clients by class of error. Most flaws of a token
// share one text, so that a client doesn't learn which it was.
var refusals = [...]struct {
	classes      []error
	status       int
	code, detail string
}{
	{[]error{ErrNoToken}, 401, "token_missing", "This needs a sign-in through Cloudflare Access."},
	{[]error{ErrMalformed, ErrUnknownKey, ErrSignature, ErrIssuer, ErrAudience, ErrTokenType}, 401, "token_invalid", "The Access token is not valid here."},
	{[]error{ErrExpired}, 401, "token_expired", "The Access token has expired."},
	{[]error{ErrNotYetValid}, 401, "token_not_yet_valid", "The Access token is not valid yet."},
	{[]error{ErrForbidden}, 403, "forbidden", "You are signed in, but not allowed to do this."},
	{[]error{ErrKeysUnavailable}, 503, "keys_unavailable", "The Access token can't be checked at the moment."},
	{[]error{ErrPolicyUnavailable}, 503, "policy_unavailable", "Your permission can't be checked at the moment."},
}

// isClass reports whether err itself is one of the sentinels.
func isClass(err error) bool {
	for _, row := range refusals {
		if slices.Contains(row.classes, err) {
			return true
		}
	}
	return false
}

// Refuse returns the answer to a client that err refuses. It never returns nil.
//
//	ErrNoToken              401 token_missing
//	ErrExpired              401 token_expired
//	ErrNotYetValid          401 token_not_yet_valid
//	other flaws of a token  401 token_invalid
//	ErrForbidden            403 forbidden
//	ErrKeysUnavailable      503 keys_unavailable, with RetryAfter
//	ErrPolicyUnavailable    503 policy_unavailable, with RetryAfter
//	anything else           500 internal_error
func Refuse(err error) *Refusal {
	r := &Refusal{Status: 500, Code: "internal_error", Detail: "The request could not be handled.", cause: err}
	for _, row := range refusals {
		if slices.ContainsFunc(row.classes, func(class error) bool { return errors.Is(err, class) }) {
			r.Status, r.Code, r.Detail = row.status, row.code, row.detail
			break
		}
	}
	r.Title = http.StatusText(r.Status)
	switch r.Status {
	case http.StatusUnauthorized:
		realm := "Cloudflare Access"
		if refused, ok := errors.AsType[*refusedError](err); ok {
			realm = refused.issuer
		}
		r.Challenge = fmt.Sprintf("Bearer realm=%q", realm)
		// RFC 6750 section 3.1: no error for a request that carried no token.
		if r.Code != "token_missing" {
			r.Challenge += fmt.Sprintf(`, error="invalid_token", error_description=%q`, r.Detail)
		}
	case http.StatusServiceUnavailable:
		r.RetryAfter = 5 * time.Second
		if keys, ok := errors.AsType[*keysUnavailableError](err); ok {
			r.RetryAfter = max(keys.retryAfter, time.Second)
		}
	}
	return r
}

// Error returns Detail.
func (r *Refusal) Error() string { return r.Detail }

// Unwrap returns the error that was given to Refuse.
func (r *Refusal) Unwrap() error { return r.cause }

// Header returns the header fields of the answer, in a new map.
func (r *Refusal) Header() http.Header {
	h := http.Header{
		"Content-Type":  {"application/problem+json"},
		"Cache-Control": {"no-store"}, // the edge is a cache, and this is one caller's answer
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
	body, _ := json.Marshal(r) // of strings and a number: can't fail
	return append(body, '\n')
}

// ServeHTTP implements [http.Handler]. A HEAD request gets no body.
func (r *Refusal) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	maps.Copy(w.Header(), r.Header())
	w.WriteHeader(r.Status)
	if req.Method != http.MethodHead {
		_, _ = w.Write(r.Body()) // fails only where the client is gone
	}
}
