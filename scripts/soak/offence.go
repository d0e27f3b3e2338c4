package main

import (
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"
)

// A verdict is a way for a server to be wrong. None may be found.
type verdict string

// The verdicts, as the report has them.
const (
	falseAccept   verdict = "bad token accepted"
	wrongIdentity verdict = "somebody else's answer"
	falseRefusal  verdict = "good token refused"
	wrongRefusal  verdict = "refused for the wrong reason"
	unavailable   verdict = "503 with keys young enough"
	serverError   verdict = "5xx"
	hung          verdict = "no answer"
	crashed       verdict = "crash, race or panic"
	tooManyFetch  verdict = "fetch too early, or two at once"
	overdueFetch  verdict = "fetch overdue, or lost"
	wrongKeys     verdict = "bad document taken, or good one not"
	tooMuchBody   verdict = "body over 1 MiB read"
	leak          verdict = "memory or goroutines not flat"
	unseen        verdict = "fault that no server met"
)

// verdicts is the order of the report.
var verdicts = []verdict{
	falseAccept, wrongIdentity, falseRefusal, wrongRefusal, unavailable, serverError, hung, crashed,
	tooManyFetch, overdueFetch, wrongKeys, tooMuchBody, leak, unseen,
}

// An offence is one time that a server was wrong.
type offence struct {
	what     verdict
	at       time.Duration // into the storm
	server   string
	fault    string // under way, or the last before
	kind     string // of the request
	expected string
	got      string
}

func (o offence) String() string {
	return fmt.Sprintf("%7.3fs %-5s %s: %s, during %q: expected %s, got %s",
		o.at.Seconds(), o.server, o.what, o.kind, o.fault, o.expected, tokens.ReplaceAllString(o.got, "eyJ…"))
}

// tokens matches them, whole or in part: a panic's text may hold one.
var tokens = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{16,}[A-Za-z0-9_.-]*`)

// offences are those of a run. It is safe for concurrent use.
type offences struct {
	mu     sync.Mutex // guards the fields below
	counts map[verdict]int
	first  map[verdict][]offence
}

// keptOffences is how many of each verdict are told in full.
const keptOffences = 3

func newOffences() *offences {
	return &offences{counts: make(map[verdict]int), first: make(map[verdict][]offence)}
}

func (o *offences) add(one offence) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts[one.what]++
	if len(o.first[one.what]) < keptOffences {
		o.first[one.what] = append(o.first[one.what], one)
	}
}

// count returns how many there are.
func (o *offences) count(what verdict) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.counts[what]
}

// total returns how many there are in all.
func (o *offences) total() (n int) {
	for _, what := range verdicts {
		n += o.count(what)
	}
	return n
}

// told returns the first of each verdict in the order of time.
func (o *offences) told() []offence {
	o.mu.Lock()
	defer o.mu.Unlock()
	var told []offence
	for _, what := range verdicts {
		told = append(told, o.first[what]...)
	}
	slices.SortStableFunc(told, func(a, b offence) int { return int(a.at - b.at) })
	return told
}
