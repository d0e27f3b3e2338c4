package core_test

import (
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// lifeDocument is what the team said in its last good answer.
type lifeDocument struct {
	asked time.Time
	keys  []int
}

// verdict is what must come of a token, judged by this document.
func (d lifeDocument) verdict(c *lifeCaller, now time.Time) error {
	switch {
	case now.Sub(d.asked) > lifeMaxStale:
		return core.ErrKeysUnavailable
	case !slices.Contains(d.keys, c.key):
		return core.ErrUnknownKey
	case !now.Before(c.until.Add(lifeLeeway)):
		return core.ErrExpired
	case now.Before(c.from.Add(-lifeLeeway)):
		return core.ErrNotYetValid
	default:
		return nil
	}
}

// pass lets this time pass, full of requests.
func (l *life) pass(long time.Duration) {
	for end := time.Now().Add(long); ; {
		gap := lifeLeastGap + time.Duration(l.random.IntN(1+int((lifeMostGap-lifeLeastGap)/time.Second)))*time.Second
		next := l.visited.Add(gap)
		if next.Before(time.Now()) {
			next = time.Now() // the first, or after idling
		}
		if !next.Before(end) {
			time.Sleep(time.Until(end))
			return
		}
		time.Sleep(time.Until(next))
		l.visit(l.callers[l.random.IntN(len(l.callers))])
	}
}

// visit is one request, and everything that must be so of it.
func (l *life) visit(c *lifeCaller) {
	if c.token == "" {
		l.signIn(c)
	}
	arrived := time.Now()
	got := l.verify(l.t.Context(), c.token)
	synctest.Wait()
	fetches := l.endpoint.count() - l.fetches
	l.fetches += fetches

	// Whether a fetch may begin, and whether it must.
	age := arrived.Sub(l.document.asked)
	isStale := age > lifeMaxStale // or was never fetched: the zero time is long ago
	isUnknown := !slices.Contains(l.document.keys, c.key)
	must := age >= lifeInterval || isUnknown
	may := must
	if l.failures > 0 {
		least, rest := time.Second<<min(l.failures-1, 5), arrived.Sub(l.failed)
		may, must = rest >= min(least, time.Minute/2), rest >= min(2*least, time.Minute)
	}
	if fetches > 1 || fetches == 1 && !may || fetches == 0 && must {
		l.fatalf("%s caused %d fetches; may it: %v, must it: %v", c.name, fetches, may, must)
	}

	// Whether the request waits for it, and whose keys judge.
	judge := l.document
	var wait time.Duration
	if isIdle := arrived.Sub(l.visited) >= 2*lifeInterval; fetches == 1 && (isStale || isUnknown || isIdle) {
		wait = l.answer
		if l.isUp {
			judge = lifeDocument{arrived, l.published}
		}
	}
	want := judge.verdict(c, arrived)
	switch {
	case !errors.Is(got.err, want):
		l.fatalf("%s got %v, want %v; keys of %v ago", c.name, got.err, want, age)
	case got.waited != wait:
		l.fatalf("%s waited %v, want %v", c.name, got.waited, wait)
	case want == nil && got.remembered != c.accepted:
		l.fatalf("%s was remembered: %v, want %v", c.name, got.remembered, c.accepted)
	}
	l.checkPromises(c, arrived, want)

	l.seen[want]++
	l.visited = arrived
	if fetches == 1 {
		l.learn(arrived)
	}
	c.accepted = c.accepted || want == nil
	if errors.Is(want, core.ErrExpired) || errors.Is(want, core.ErrUnknownKey) && !slices.Contains(l.published, c.key) {
		c.token = ""
	}
}

// learn takes down what came of a fetch that began then.
func (l *life) learn(began time.Time) {
	if l.isUp {
		l.document, l.failures = lifeDocument{began, l.published}, 0
		return
	}
	l.failures, l.failed = l.failures+1, began.Add(l.answer)
}

// checkPromises holds an answer against the team's side alone: whatever the
// verifier asked and when, this is what its users are promised.
func (l *life) checkPromises(c *lifeCaller, now time.Time, answer error) {
	since := now.Sub(l.changed)
	isSettled := l.isUp && since > lifeSettled
	gone, isWithdrawn := l.withdrawn[c.key]
	isUnavailable := errors.Is(answer, core.ErrKeysUnavailable)
	switch {
	case answer == nil && isWithdrawn && isSettled && now.Sub(gone) > lifeInterval+lifeMostGap:
		l.fatalf("%s passed with a key withdrawn %v ago", c.name, now.Sub(gone))
	case errors.Is(answer, core.ErrUnknownKey) && !isWithdrawn && isSettled:
		l.fatalf("%s was refused, and the key is published", c.name)
	case isUnavailable && (isSettled || !l.isUp && since < lifeMaxStale-lifeInterval-lifeMostGap):
		l.fatalf("%s got a 503, %v after the endpoint was up: %v", c.name, since, l.isUp)
	case !isUnavailable && !l.isUp && since > lifeMaxStale:
		l.fatalf("%s got %v by keys of more than a day ago", c.name, answer)
	}
}

func (l *life) fatalf(format string, args ...any) {
	l.t.Helper()
	l.t.Fatalf("day %.3f, %s: %s", time.Since(l.born).Hours()/24, l.chapter, fmt.Sprintf(format, args...))
}
