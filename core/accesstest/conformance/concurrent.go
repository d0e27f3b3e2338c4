package conformance

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// The sizes of the concurrent test. Two callers share a connection, so that each
// connection, and the memory that a server keeps with it, sees several callers.
const (
	callers       = 32
	connections   = callers / 2
	requests      = 60 // of each caller
	requestsShort = 20
	sessionLength = 10 // requests with one token
)

// A client is one caller of the concurrent test. Their emails, and so their
// tokens, have one length: one overwrites another exactly where memory is used
// again.
type client struct {
	*http.Client
	suite  *suite
	caller string
	good   string // token
	forged string // token that names somebody else
}

func (s *suite) newClient(number int, over *http.Client) *client {
	return &client{Client: over, suite: s, caller: fmt.Sprintf("member-%02d@example.com", number)}
}

func (c *client) signIn() {
	c.good = c.suite.team.SignUser(audience, c.caller)
	c.forged = c.suite.team.SignUser(audience, "member-99@example.com", accesstest.SignedByStranger())
}

// concurrent sends the requests of many callers at the same time. It fails
// adapters that keep strings whose memory the framework uses again, or a context
// that the framework uses again for another request.
//
// A map whose keys are such strings shows it only after it has grown: then the
// entry of a good token is found by what its memory holds now. So a few clients
// send a good and a forged token over one connection before the others begin,
// and the forged one again at the end.
func (s *suite) concurrent(t *testing.T) {
	var early []*client
	for number := range 4 {
		c := s.newClient(callers+number, newClient())
		defer c.CloseIdleConnections()
		c.signIn()
		early = append(early, c)
	}
	const refused = "a forged token is refused, whatever tokens came before it on the same connection"
	probe := func(t *testing.T) {
		for _, c := range early {
			if err := errors.Join(c.sendForged(), c.sendGood(0), c.sendForged()); err != nil {
				t.Error(err)
			}
		}
	}
	check(t, "forged before", refused, probe)
	check(t, "callers", "of callers at the same time, each is taken for itself, and forged tokens are refused meanwhile", s.callers)
	check(t, "forged after", refused, probe)
}

func (s *suite) callers(t *testing.T) {
	s.plain.record.slow.Store(true)
	defer s.plain.record.slow.Store(false)
	shared := newClient()
	transport := shared.Transport.(*http.Transport)
	transport.MaxConnsPerHost, transport.MaxIdleConnsPerHost = connections, connections
	defer shared.CloseIdleConnections()
	number := requests
	if testing.Short() {
		number = requestsShort
	}
	var group sync.WaitGroup
	for i := range callers {
		c := s.newClient(i, shared)
		group.Go(func() {
			for turn := range number {
				if turn%sessionLength == 0 {
					c.signIn()
				}
				err := c.sendGood(turn)
				if turn%4 == 3 {
					err = errors.Join(err, c.sendForged())
				}
				if err != nil {
					t.Errorf("request %d of %s: %v", turn, c.caller, err)
					return
				}
			}
		})
	}
	group.Wait()
}

// sendGood sends the good token, in the header or in a cookie, and a forged email
// header. The handler must see the caller.
func (c *client) sendGood(turn int) error {
	header := inHeader(c.good)
	if turn%4 == 1 {
		header = inCookie(c.good)
	}
	got, err := try(c.Client, c.suite.plain, http.MethodGet, PathWhoAmI, with(header, core.EmailHeader, forgedEmail), "")
	if err != nil {
		return err
	}
	saw, err := parseReport(got, c.caller)
	if err == nil && saw.Token != c.good {
		err = errors.New("the claims hold another token than was sent")
	}
	return err
}

// sendForged sends the forged token, which must be refused.
func (c *client) sendForged() error {
	got, err := try(c.Client, c.suite.plain, http.MethodGet, PathWhoAmI, inHeader(c.forged), "")
	if want := core.Refuse(core.ErrSignature); err == nil && (got.status != want.Status || got.body != string(want.Body())) {
		err = fmt.Errorf("a forged token was not refused, but answered with %d: %.300s", got.status, got.body)
	}
	return err
}
