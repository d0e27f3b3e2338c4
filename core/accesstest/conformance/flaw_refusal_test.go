package conformance_test

import (
	"errors"
	"net/http"

	"github.com/cfaccess/cfaccess/core"
)

// refusalFlaws are in what a refused client gets.
func refusalFlaws() map[string]flaw {
	return map[string]flaw{
		"calls next after a refusal": {[]string{"refusal/ErrNoToken/handler"}, func(a *adapter) {
			a.refused = func(next http.Handler, w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) }
		}},
		// As in gin without an abort: the client sees nothing of it.
		"calls next after a refusal in silence": {[]string{"refusal/ErrNoToken/handler", "token/bad cookie"}, func(a *adapter) {
			a.refused = func(next http.Handler, _ http.ResponseWriter, r *http.Request) { next.ServeHTTP(nowhere{}, r) }
		}},
		"takes keys that can't be fetched for a bad token": {[]string{"refusal/ErrKeysUnavailable/status", "refusal/ErrKeysUnavailable/Retry-After"}, func(a *adapter) {
			a.refuse = func(w http.ResponseWriter, r *http.Request, err error) {
				if errors.Is(err, core.ErrKeysUnavailable) {
					err = core.ErrMalformed
				}
				core.Refuse(err).ServeHTTP(w, r)
			}
		}},
		"adds a charset": {[]string{"refusal/ErrExpired/Content-Type"}, func(a *adapter) {
			a.refuse = refuseWith(func(w http.ResponseWriter, r *core.Refusal, _ error) {
				send(w, r, "Content-Type", "application/problem+json; charset=utf-8")
			})
		}},
		"forgets Cache-Control": {[]string{"refusal/ErrExpired/Cache-Control", "refusal/ErrForbidden/Cache-Control"}, func(a *adapter) {
			a.refuse = refuseWith(func(w http.ResponseWriter, r *core.Refusal, _ error) { send(w, r, "Cache-Control") })
		}},
		"forgets the challenge": {[]string{"refusal/ErrNoToken/WWW-Authenticate"}, func(a *adapter) {
			a.refuse = refuseWith(func(w http.ResponseWriter, r *core.Refusal, _ error) { send(w, r, "Www-Authenticate") })
		}},
		"forgets when to come again": {[]string{"refusal/ErrKeysUnavailable/Retry-After"}, func(a *adapter) {
			a.refuse = refuseWith(func(w http.ResponseWriter, r *core.Refusal, _ error) { send(w, r, "Retry-After") })
		}},
		"leaks the cause": {[]string{"refusal/ErrAudience/secrets", "refusal/ErrForbidden/secrets", "refusal/ErrKeysUnavailable/secrets"}, func(a *adapter) {
			a.refuse = refuseWith(func(w http.ResponseWriter, r *core.Refusal, err error) {
				r.Detail = err.Error()
				send(w, r, "")
			})
		}},
		"leaks the cause in a header": {[]string{"refusal/ErrAudience/secrets"}, func(a *adapter) {
			a.refuse = refuseWith(func(w http.ResponseWriter, r *core.Refusal, err error) { send(w, r, "X-Error", err.Error()) })
		}},
		"sends a body on HEAD": {[]string{"refusal/ErrExpired/HEAD"}, func(a *adapter) {
			a.refuse = func(w http.ResponseWriter, r *http.Request, err error) {
				if r.Method != http.MethodHead {
					core.Refuse(err).ServeHTTP(w, r)
					return
				}
				// net/http itself would hide the body.
				conn, _, hijackErr := http.NewResponseController(w).Hijack()
				if hijackErr != nil {
					panic(hijackErr)
				}
				defer conn.Close()
				refusal := core.Refuse(err)
				_ = (&http.Response{
					StatusCode: refusal.Status, ProtoMajor: 1, ProtoMinor: 1, Header: refusal.Header(), Close: true,
				}).Write(conn)
				_, _ = conn.Write(refusal.Body())
			}
		}},
	}
}

func refuseWith(answer func(w http.ResponseWriter, r *core.Refusal, err error)) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, _ *http.Request, err error) { answer(w, core.Refuse(err), err) }
}

// send answers with r, but with other values of a header field.
func send(w http.ResponseWriter, r *core.Refusal, name string, values ...string) {
	for field, own := range r.Header() {
		w.Header()[field] = own
	}
	if name != "" {
		w.Header()[name] = values
	}
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body())
}

// nowhere is a ResponseWriter whose answer is lost.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}
