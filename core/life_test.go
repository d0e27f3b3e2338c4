package core_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// lifeChapters are what a team goes through in sixty days, each from its day to
// the next one's. No refusal comes in a chapter but those that it brings, and
// ErrExpired: callers go on with a token until it is refused.
var lifeChapters = []struct {
	day    int
	name   string
	happen func(l *life)
	brings []error
}{
	{0, "the first days", func(*life) {}, nil},
	{4, "a rotation in turn", func(l *life) { l.publish(0, 1) }, nil},
	{11, "the previous key is withdrawn", func(l *life) { l.publish(1) }, []error{core.ErrUnknownKey}},
	{13, "an outage of 23 hours", func(l *life) {
		l.fail(http.StatusServiceUnavailable)
		l.pass(23 * time.Hour)
		l.heal()
	}, nil},
	{17, "an outage of 25 hours", func(l *life) {
		l.hang()
		l.pass(25 * time.Hour)
		l.heal()
	}, []error{core.ErrKeysUnavailable}},
	{20, "a flapping endpoint", func(l *life) {
		for range 24 * 5 {
			l.fail(http.StatusBadGateway)
			l.pass(7 * time.Minute)
			l.heal()
			l.pass(5 * time.Minute)
		}
	}, nil},
	{24, "an idle week", func(*life) { time.Sleep(7 * lifeDay) }, nil},
	{32, "the origin's clock 25 s behind", func(l *life) { l.skew = 25 * time.Second }, nil},
	{34, "the origin's clock 25 s ahead", func(l *life) { l.skew = -25 * time.Second }, nil},
	{36, "the origin's clock 40 s behind", func(l *life) { l.skew = 40 * time.Second }, []error{core.ErrNotYetValid}},
	{38, "the origin's clock 40 s ahead", func(l *life) { l.skew = -40 * time.Second }, nil},
	{40, "clocks in step", func(l *life) { l.skew = 0 }, nil},
	{46, "a rotation, six weeks after the first, in an outage", func(l *life) {
		l.fail(http.StatusInternalServerError)
		l.pass(2 * time.Hour)
		l.publish(1, 2)
		l.pass(12 * time.Hour)
		l.heal()
	}, []error{core.ErrUnknownKey}},
	// The key before the previous one goes at once, and a session with it.
	{48, "a rotation out of turn, and a storm", func(l *life) {
		l.publish(2, 3)
		l.storm()
	}, []error{core.ErrUnknownKey}},
	{55, "the previous key is withdrawn again", func(l *life) { l.publish(3) }, nil},
	{60, "the end", nil, nil},
}

// The whole life of a team, told to one verifier that runs on the defaults.
func TestLife(t *testing.T) {
	lifeKeys()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t,
			&lifeCaller{name: "ada@example.com", session: lifeDay},
			&lifeCaller{name: "bob@example.com", session: lifeDay},
			&lifeCaller{name: "carol@example.com", session: 10 * time.Hour},
			&lifeCaller{name: "dora@example.com", session: 30 * lifeDay}, // as long as Access lets it be
			&lifeCaller{name: "ci.access", isService: true, session: lifeDay},
			&lifeCaller{name: "cron.access", isService: true, session: lifeDay},
		)
		for i, chapter := range lifeChapters[:len(lifeChapters)-1] {
			l.chapter = chapter.name
			clear(l.seen)
			chapter.happen(l)
			l.pass(time.Until(l.born.Add(time.Duration(lifeChapters[i+1].day) * lifeDay)))
			for _, want := range chapter.brings {
				if l.seen[want] == 0 {
					t.Errorf("%s: nobody got %v", l.chapter, want)
				}
			}
			for got := range l.seen {
				if got != nil && !errors.Is(got, core.ErrExpired) && !slices.Contains(chapter.brings, got) {
					t.Errorf("%s: %d got %v", l.chapter, l.seen[got], got)
				}
			}
		}
		l.checkFetches()
		l.checkMemory()
		time.Sleep(lifeTimeout) // by the end of this no fetch is under way
	})
}

// storm has 500 requests come at once with a key that is new. Who sends them
// stays.
func (l *life) storm() {
	l.t.Helper()
	newcomer := &lifeCaller{name: "eve@example.com", session: lifeDay}
	l.signIn(newcomer)
	began := time.Now()
	l.wantCrowd(l.t, 500, keysSame(newcomer.token), nil, lifeDelay)
	if fetches := l.endpoint.count() - l.fetches; fetches != 1 {
		l.fatalf("%d fetches for the storm, want 1", fetches)
	}
	l.fetches++
	l.learn(began)
	newcomer.accepted = true
	l.callers = append(l.callers, newcomer)
	l.visited = began.Add(time.Second) // as if it had been a request at a whole second
	time.Sleep(time.Until(l.visited))
}

// checkFetches fails the test unless the endpoint was asked as often as sixty
// days call for: about 24 times a day, and less than twice a minute of outage.
func (l *life) checkFetches() {
	l.t.Helper()
	const (
		failing = 23 + 25 + 14              // hours of the outages, of the flapping none as a whole
		working = (60-7)*24 - failing       // hours, the idle week left out
		strange = 4                         // the keys that were unknown: two that came, two that went
		extra   = 1 + 1 + 3 + strange       // the first ever, after idling, after an outage
		flaps   = 24 * (7*2 + 5)            // a refresh an hour, 7 minutes in vain, 5 times below 30 s apart
		most    = failing*120 + 3*5 + flaps // a backoff is 30 s at least from the sixth failure on
	)
	var good, failed, unknown int
	for _, fetch := range l.fetched {
		switch {
		case fetch.Err != nil:
			failed++
		case fetch.Reason == core.ReasonUnknownKid:
			unknown++
			fallthrough
		default:
			good++
		}
	}
	// Each refresh comes with the first request that finds the keys an hour old.
	least := int(working * time.Hour / (lifeInterval + lifeMostGap))
	if good < least || good > working+extra || unknown > strange || failed > most {
		l.t.Errorf("%d good fetches, %d of them for unknown kids, and %d in vain; want from %d to %d, %d and %d at most",
			good, unknown, failed, least, working+extra, strange, most)
	}
	if count, most := l.endpoint.count(), l.endpoint.atOnce(); count != len(l.fetched) || most != 1 {
		l.t.Errorf("%d requests, %d at once; %d fetches were reported", count, most, len(l.fetched))
	}
}

// checkMemory fails the test unless, of all the tokens so far, only those of
// the sessions that go on are remembered.
func (l *life) checkMemory() {
	l.t.Helper()
	var remembered int
	for _, token := range l.issued {
		if l.verify(l.t.Context(), token).remembered {
			remembered++
		}
	}
	if remembered > len(l.callers) {
		l.t.Errorf("%d of %d tokens are remembered, for %d callers", remembered, len(l.issued), len(l.callers))
	}
}
