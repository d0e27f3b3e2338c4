package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// The routes of an App. All but the bare ones stand behind the adapter. They
// answer GET; those of PathWhoAmI to PathNestedSkipped answer HEAD, POST, PUT,
// PATCH and OPTIONS too. A router that answers HEAD or OPTIONS by itself leaves
// them to the adapter.
const (
	// PathWhoAmI: New, then a handler that answers with App.Report.
	PathWhoAmI = "/whoami"
	// PathRequired: New, Require with App.Policies, then that handler.
	PathRequired = "/required"
	// PathRequireAlone: Require with App.Policies, then that handler, as if
	// somebody had forgotten New.
	PathRequireAlone = "/require-alone"
	// PathSkipped: as PathWhoAmI. App.Skips is true for it.
	PathSkipped = "/skipped"
	// PathNested: New, another New for App.Inner, Require with the Policies of
	// App.Inner, then that handler.
	PathNested = "/nested"
	// PathNestedSkipped: New, another New for App.Inner, then that handler. Skips
	// of App.Inner is true for it.
	PathNestedSkipped = "/nested/skipped"
	// PathFailure: New, then a handler that fails in the way of the framework,
	// with FailureStatus and FailureMessage. It returns an error where handlers
	// do that, and writes the answer where they don't.
	PathFailure = "/failure"
	// PathPanic: the framework's own recovery, New, then a handler that panics.
	// For net/http the recovery is the server's, which cuts the connection. Where
	// there are several ways to recover, PathBarePanic has the same.
	PathPanic = "/panic"
	// PathStream: New, then a handler that calls App.Stream.
	PathStream = "/stream"
	// PathUpgrade: New, then a handler that calls App.Upgrade, or does the same
	// with the means of its framework.
	PathUpgrade = "/upgrade"
	// PathBareFailure and PathBarePanic: as the two above, without New.
	PathBareFailure = "/bare/failure"
	PathBarePanic   = "/bare/panic"
)

// What the handlers and the ErrorHandler of an App answer.
const (
	// FailureStatus and FailureMessage are the failure of PathFailure.
	FailureStatus  = http.StatusTeapot
	FailureMessage = "short and stout"
	// HandledStatus is the status of App.Handle.
	HandledStatus = http.StatusConflict
)

// An App is what one server has to serve: the routes of the Path constants,
// behind an adapter that is configured by these fields. Its methods are what the
// handlers do.
type App struct {
	// Verifier is the one for New.
	Verifier *core.Verifier
	// Rule goes into New's Config.
	Rule core.Rule
	// Policies are the arguments of Require. There may be none.
	Policies []core.Policy
	// HandlesErrors asks for an ErrorHandler in New's Config that answers with
	// HandledStatus and the text of App.Handle. Otherwise there is none.
	HandlesErrors bool
	// Silent asks for an ErrorHandler that calls App.Handle and answers nothing.
	// HandlesErrors is set too. It is for frameworks in which an adapter can tell.
	Silent bool
	// ShowsErrors asks for whatever the framework has to show clients the errors
	// of its handlers and middleware, with every setting for debugging on.
	ShowsErrors bool
	// SkipPaths, unless it is nil, are the arguments of the adapter's SkipPaths,
	// which takes the place of App.Skips.
	SkipPaths []string
	// HTTP2 asks for HTTP/2 over TLS, as App.Serve has it. The certificate is not
	// verified.
	HTTP2 bool

	inner  *App
	name   string // of the New that these fields configure
	record *record
}

// Inner returns the configuration of the second New of a nested route. Its
// Verifier is the same.
func (a App) Inner() App {
	inner := *a.inner
	inner.Verifier, inner.name, inner.record = a.Verifier, "inner New", a.record
	return inner
}

// Skips is the Skipper of New's Config, which fiber calls Next, for a request of
// that path.
func (a App) Skips(path string) bool {
	return path == PathSkipped || a.inner == nil && path == PathNestedSkipped
}

// A record is what the suite and the handlers of one app share.
type record struct {
	calls   atomic.Int64  // of the handlers behind the adapter
	handled atomic.Int64  // calls of the ErrorHandler
	slow    atomic.Bool   // handlers take a while
	opening sync.Once     // of gate
	gate    chan struct{} // closed when a stream may go on
}

func (r *record) openGate() { r.opening.Do(func() { close(r.gate) }) }

// A View is what a handler sees of a request.
type View struct {
	// Claims calls the adapter's Claims.
	Claims func() (*core.Claims, bool)
	// Contexts are those that users of the framework pass on: the request's
	// context, and the framework's own if it is a context.Context.
	Contexts []context.Context
	Header   http.Header
	Body     []byte
}

// A report is what the suite learns of a View.
type report struct {
	Email, CommonName, Subject, Token string   // the caller's
	Emails                            []string // values of core.EmailHeader in any spelling
	Connection                        []string
	Body                              []byte
	Wrong                             string // what is wrong with the View itself
}

// caller returns the person's email or the Client ID, or anonymous.
func (r report) caller() string {
	if r.Token == "" {
		return anonymous
	}
	return r.Email + r.CommonName
}

// Report returns the body of the handler's answer. It may be called concurrently,
// and keeps nothing.
func (a App) Report(v View) []byte {
	a.record.calls.Add(1)
	claims, ok := v.Claims()
	saw := report{Body: v.Body}
	if claims != nil {
		saw.Email, saw.CommonName, saw.Subject, saw.Token = claims.Email, claims.CommonName, claims.Subject, claims.Token()
	}
	if ok != (claims != nil) {
		saw.Wrong = "the adapter's Claims must return true with claims, and false without"
	}
	for i, ctx := range v.Contexts {
		if found, ok := core.FromContext(ctx); found != claims || ok != (claims != nil) {
			saw.Wrong = fmt.Sprintf("core.FromContext must find in context %d what the adapter's Claims returns", i)
		}
	}
	if a.record.slow.Load() {
		time.Sleep(rand.N(2 * time.Millisecond)) // other requests come and go
		if again, _ := v.Claims(); again != claims {
			saw.Wrong = "the claims changed while the handler ran"
		}
	}
	for name, values := range v.Header {
		switch {
		case core.IsEmailHeader(name):
			saw.Emails = append(saw.Emails, values...)
		case strings.EqualFold(name, "Connection"):
			saw.Connection = append(saw.Connection, values...)
		}
	}
	text, err := json.Marshal(saw)
	if err != nil {
		panic("conformance: can't marshal strings: " + err.Error())
	}
	return text
}

// Handle returns the text that the ErrorHandler of New's Config answers with, for
// its error and the header of the request.
func (a App) Handle(err error, header http.Header) string {
	a.record.handled.Add(1)
	var matches []string
	for _, c := range classes() {
		if errors.Is(err, c.err) {
			matches = append(matches, c.name)
		}
	}
	text := a.handled(strings.Join(matches, " and "), err)
	for name, values := range header {
		if core.IsEmailHeader(name) && slices.Contains(values, forgedEmail) {
			text += fmt.Sprintf(", with the forged %s", name)
		}
	}
	return text
}

// handled is the text for an error that matches one class.
func (a App) handled(class string, err error) string {
	r := core.Refuse(err)
	return fmt.Sprintf("%s handled %s: %s %q", a.name, class, r.Code, r.Challenge)
}
