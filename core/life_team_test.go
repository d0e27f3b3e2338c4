package core_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// The documented defaults. They are written out: that the zero Config means
// these is a part of what is tested.
const (
	lifeInterval = time.Hour
	lifeMaxStale = 24 * time.Hour
	lifeCooldown = 10 * time.Second
	lifeTimeout  = 5 * time.Second
	lifeLeeway   = 30 * time.Second
)

const (
	lifeDay = 24 * time.Hour
	// lifeDelay is how long the endpoint takes to answer, so that a request
	// that waits is told from one that doesn't.
	lifeDelay = 100 * time.Millisecond
	// Requests are this far apart, in whole seconds: tokens count in those. No
	// fetch outlasts the shorter gap, and the cooldown doesn't either.
	lifeLeastGap, lifeMostGap = lifeCooldown, 110 * time.Second
	// lifeSettled after the endpoint recovered, every trace of the outage is
	// gone: the last fetch timed out, the longest backoff passed, the request
	// after it caused a fetch, and the next one saw its keys.
	lifeSettled = lifeTimeout + time.Minute + 2*lifeMostGap
)

// lifeDefaults has a rig's verifier run on the defaults.
func lifeDefaults(c *core.Config) {
	c.RefreshInterval, c.MaxStale, c.RefetchCooldown, c.FetchTimeout = 0, 0, 0, 0
}

// lifeKey is a key of the team's, and the way to sign with it.
type lifeKey struct {
	public certsKey
	team   *accesstest.Team
	signed []accesstest.Option
}

// lifeKeys are the keys of a team's life, in the order of their use. Two fakes
// of the same team hold them. Call it outside of a bubble first.
var lifeKeys = sync.OnceValue(func() (keys []lifeKey) {
	later := accesstest.NewTeam("acme")
	later.Close()
	for _, team := range []*accesstest.Team{certsTeam(), later} {
		previous, current := certsKeysOf(team)
		keys = append(keys,
			lifeKey{previous, team, []accesstest.Option{accesstest.SignedByPreviousKey()}},
			lifeKey{current, team, nil})
	}
	return keys
})

// lifeCaller is somebody who uses one token until it is refused for good.
type lifeCaller struct {
	name      string
	isService bool
	session   time.Duration // how long a token of theirs lasts

	token       string // empty: they have to sign in
	key         int    // that signed it
	from, until time.Time
	accepted    bool // before
}

// life is a verifier, its team and its callers, and what is true of them: how
// each request has to end follows from that alone.
type life struct {
	*keysRig
	t       *testing.T
	born    time.Time
	chapter string
	random  *rand.Rand
	callers []*lifeCaller
	issued  []string // every token so far
	seen    map[error]int

	// The team's side.
	published []int // keys; tokens are signed with the last
	withdrawn map[int]time.Time
	skew      time.Duration // by which the edge's clock is ahead of the origin's
	isUp      bool          // the endpoint answers
	changed   time.Time     // when isUp last did
	answer    time.Duration // what an answer takes, or giving up

	// The verifier's side: what it has been told, and when it last asked.
	document lifeDocument
	fetches  int
	failures int       // since the last good fetch
	failed   time.Time // when the last failed fetch ended
	visited  time.Time
}

// newLife returns a life that begins now, with the first key published.
func newLife(t *testing.T, callers ...*lifeCaller) *life {
	t.Helper()
	l := &life{
		keysRig:   newKeysRig(t, lifeDefaults),
		t:         t,
		born:      time.Now(),
		random:    rand.New(rand.NewPCG(1, 2)),
		callers:   callers,
		seen:      make(map[error]int),
		withdrawn: make(map[int]time.Time),
	}
	l.publish(0)
	l.heal()
	return l
}

// publish has the team publish these keys and no others.
func (l *life) publish(keys ...int) {
	for _, key := range l.published {
		if !slices.Contains(keys, key) {
			l.withdrawn[key] = time.Now()
		}
	}
	l.published = keys
	if l.isUp {
		l.heal()
	}
}

// heal has the endpoint answer with the published keys.
func (l *life) heal() {
	var keys []certsKey
	for _, key := range l.published {
		keys = append(keys, lifeKeys()[key].public)
	}
	l.endpoint.publish(keys...)
	l.turn(true, lifeDelay)
}

// fail has the endpoint answer with this status.
func (l *life) fail(status int) {
	l.endpoint.fail(status)
	l.turn(false, lifeDelay)
}

// hang has the endpoint not answer.
func (l *life) hang() { l.turn(false, certsForever) }

func (l *life) turn(isUp bool, delay time.Duration) {
	l.endpoint.slow(delay)
	if l.isUp != isUp {
		l.changed = time.Now()
	}
	l.isUp, l.answer = isUp, min(delay, lifeTimeout)
}

// signIn gives the caller a token of the edge's present.
func (l *life) signIn(c *lifeCaller) {
	edge := time.Now().Add(l.skew)
	c.key = l.published[len(l.published)-1]
	c.from, c.until, c.accepted = edge, edge.Add(c.session), false
	key := lifeKeys()[c.key]
	options := append([]accesstest.Option{accesstest.WithClaim("iat", edge.Unix()), accesstest.WithExpiry(c.until)}, key.signed...)
	if c.isService {
		c.token = key.team.SignService(keysAudience, c.name, options...)
	} else {
		c.token = key.team.SignUser(keysAudience, c.name, append(options, accesstest.WithClaim("nbf", edge.Unix()))...)
	}
	l.issued = append(l.issued, c.token)
}
