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

// The routes of a Site. All but the bare ones stand behind the adapter. They
// answer GET; those of PathWhoAmI to PathSkipped also HEAD, POST, PUT, PATCH and
// OPTIONS. A router that answers HEAD or OPTIONS by itself has to leave them to
// the adapter.
const (
	// PathWhoAmI: New, then a handler that answers with Site.Report.
	PathWhoAmI = "/whoami"
	// PathRequired: New, Require with Site.Policies, and that handler.
	PathRequired = "/required"
	// PathRequireAlone: Require with Site.Policies and that handler. New is
	// missing, as if somebody had forgotten it.
	PathRequireAlone = "/require-alone"
	// PathSkipped: as PathWhoAmI; the Skipper of New's Config, Next in fiber's
	// words, is true for requests of this path. It is set for the whole site.
	PathSkipped = "/skipped"
	// PathNested: New, then a second New whose Skipper is always true, and that
	// handler.
	PathNested = "/nested"
	// PathFailure: New, then a handler that fails in the way of the framework,
	// with FailureStatus and FailureMessage: it returns an error where handlers
	// do that, and writes the answer where they don't.
	PathFailure = "/failure"
	// PathPanic: the framework's own recovery, New, then a handler that panics.
	// What recovers a net/http handler is the server, which cuts the connection.
	// Where there are two ways to recover, either will do, if PathBarePanic has
	// the same.
	PathPanic = "/panic"
	// PathStream: New, then a handler that calls Site.Stream.
	PathStream = "/stream"
	// PathUpgrade: New, then a handler that calls Site.Upgrade, or does with the
	// means of its framework what that does.
	PathUpgrade = "/upgrade"
	// PathBareFailure and PathBarePanic: as the two above, without New.
	PathBareFailure = "/bare/failure"
	PathBarePanic   = "/bare/panic"
)

// What the handlers and the ErrorHandler of a Site answer.
const (
	// FailureStatus and FailureMessage are the failure of PathFailure.
	FailureStatus  = http.StatusTeapot
	FailureMessage = "short and stout"
	// HandledStatus is the status of Site.Handle.
	HandledStatus = http.StatusConflict
)

// A Site is what one server has to serve: the routes named by the Path
// constants, behind an adapter that is configured by these fields. Its methods
// are what the handlers have to do.
type Site struct {
	// Verifier is the one for New.
	Verifier *core.Verifier
	// Rule goes into New's Config.
	Rule core.Rule
	// Policies are the arguments of Require. There may be none.
	Policies []core.Policy
	// HandlesErrors asks for an ErrorHandler in New's Config that answers with
	// HandledStatus and the text of Site.Handle. If it is false there is none.
	HandlesErrors bool
	// Silent asks for an ErrorHandler that answers nothing: it calls Site.Handle
	// and returns. HandlesErrors is set too.
	Silent bool

	record *record
}

// A record is what the suite and the handlers of one site share.
type record struct {
	calls   atomic.Int64  // of the handlers behind the adapter
	handled atomic.Int64  // calls of the ErrorHandler
	crowded atomic.Bool   // handlers are to run at the same time
	opening sync.Once     // of gate
	gate    chan struct{} // closed when a stream may go on
}

func newRecord() *record { return &record{gate: make(chan struct{})} }

func (r *record) release() { r.opening.Do(func() { close(r.gate) }) }

// Report returns the answer of the handler that tells what it sees: what the
// adapter's Claims returns for this request, and the context, header fields and
// body of the request. The context is the one that the adapter's users are told
// to pass on, in which core.FromContext finds the claims. Report may be called
// concurrently, and calls claims twice. It keeps nothing.
func (s Site) Report(ctx context.Context, claims func() (*core.Claims, bool), header http.Header, body []byte) []byte {
	s.record.calls.Add(1)
	saw := sight(ctx, claims)
	if s.record.crowded.Load() {
		// Others come and go meanwhile, which must not change who this is.
		time.Sleep(rand.N(2 * time.Millisecond))
		if again := sight(ctx, claims); !again.same(saw) {
			saw.Complaint = fmt.Sprintf("the caller changed while the handler ran: %v, then %v", saw, again)
		}
	}
	for name, values := range header {
		switch {
		case core.IsEmailHeader(name):
			saw.Emails = append(saw.Emails, values...)
		case strings.EqualFold(name, "Connection"):
			saw.Connection = append(saw.Connection, values...)
		}
	}
	saw.Body = body
	text, err := json.Marshal(saw)
	if err != nil {
		panic("conformance: strings can't be marshalled: " + err.Error())
	}
	return text
}

// Handle returns the text that the ErrorHandler answers with. It names the
// errors of core that err matches, what core.Refuse makes of it, and a forged
// email header that the ErrorHandler finds in the request.
func (s Site) Handle(err error, header http.Header) string {
	s.record.handled.Add(1)
	var names []string
	for _, c := range classes() {
		if errors.Is(err, c.err) {
			names = append(names, c.name)
		}
	}
	text := handledText(strings.Join(names, " and "), err)
	for name, values := range header {
		if core.IsEmailHeader(name) && slices.Contains(values, forgedEmail) {
			text += fmt.Sprintf(", with %s: %q", name, values)
		}
	}
	return text
}

func handledText(name string, err error) string {
	r := core.Refuse(err)
	return fmt.Sprintf("handled %s: %s %q", name, r.Code, r.Challenge)
}
