package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// The crowd shares half as many connections as it has members, so that each
// connection, and the buffers that a server keeps with it, sees one caller after
// the other.
const (
	crowdSize        = 64
	crowdConnections = crowdSize / 2
	crowdTime        = 2 * time.Second
	crowdTimeShort   = crowdTime / 8
	crowdWitnesses   = 4
	sessionLength    = 40 // requests until a member signs in anew
)

// A member is one client of the crowd. Emails, and thus tokens, are of one
// length, so that one overwrites the other exactly where a buffer is used again.
type member struct {
	suite  *suite
	number int
	email  string // of a person, or
	id     string // of a service token
	good   string // token
	forged string // token, which names another member
}

// crowd lets many clients in at once and looks whether each is taken for itself.
// An adapter fails it that keeps strings of a framework which overwrites them,
// or a context that is used again for another request.
//
// Before the crowd comes, each of a few witnesses sends a good token and, over
// the same connection, a forged one, which overwrites the good one in whatever
// the server keeps with the connection. Meanwhile, a memory that was keyed by
// such a string has grown, and sorted its keys anew by what they say now: then
// it takes the forged token for the good one.
func (s *suite) crowd(t *testing.T) {
	var witnesses []*member
	for number := range crowdWitnesses {
		m := s.newMember(crowdSize+number, newClient())
		defer m.suite.client.CloseIdleConnections()
		m.signIn()
		witnesses = append(witnesses, m)
	}
	const refused = "a forged token is refused, whatever tokens came before it on the same connection"
	check(t, "forgeries beforehand", refused, func(t *testing.T) { testify(t, witnesses) })
	const itself = "of callers at the same time, each is taken for itself and for nobody else, and forged tokens are refused all the while"
	check(t, "identities", itself, s.gather)
	check(t, "forgeries", refused, func(t *testing.T) { testify(t, witnesses) })
}

// testify has each witness send the forged token, the good one and the forged one
// again, which thus is the last before the crowd comes and the first behind it.
func testify(t *testing.T, witnesses []*member) {
	t.Helper()
	for _, m := range witnesses {
		for turn := range 3 {
			err := m.intrude(0)
			if turn == 1 {
				err = m.call(0)
			}
			if err != nil {
				t.Errorf("request %d: %v", turn, err)
			}
		}
	}
}

// gather is the crowd itself.
func (s *suite) gather(t *testing.T) {
	s.plain.record.crowded.Store(true)
	defer s.plain.record.crowded.Store(false)
	client := newClient()
	client.Transport = &http.Transport{
		DisableCompression:  true,
		MaxConnsPerHost:     crowdConnections,
		MaxIdleConnsPerHost: crowdConnections,
	}
	defer client.CloseIdleConnections()

	var group sync.WaitGroup
	var members [crowdSize]*member
	for number := range members {
		members[number] = s.newMember(number, client)
		group.Go(members[number].signIn)
	}
	group.Wait()

	length := crowdTime
	if testing.Short() {
		length = crowdTimeShort
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var turns atomic.Int64
	for number, m := range members {
		group.Go(func() {
			done, err := m.visit(ctx)
			turns.Add(int64(done))
			if err != nil {
				t.Errorf("client %d: %v", number, err)
				cancel() // one failure says it all
			}
		})
	}
	group.Wait()
	t.Logf("%d clients, %d requests", crowdSize, turns.Load())
}

func (s *suite) newMember(number int, client *http.Client) *member {
	own := *s
	own.client = client
	m := &member{suite: &own, number: number}
	if number%8 == 7 {
		m.id = fmt.Sprintf("robot-%02d.access", number)
	} else {
		m.email = fmt.Sprintf("member-%02d@example.com", number)
	}
	return m
}

// visit sends one request after the other until ctx ends, and returns how many.
func (m *member) visit(ctx context.Context) (turns int, err error) {
	for turns == 0 || ctx.Err() == nil {
		if m.number%2 == 0 && turns%4 == 3 {
			err = m.intrude(turns / 4)
		} else {
			err = m.call(turns)
		}
		if err != nil {
			return turns, fmt.Errorf("request %d: %w", turns, err)
		}
		if turns++; turns%sessionLength == 0 {
			m.signIn()
		}
	}
	return turns, nil
}

func (m *member) signIn() {
	m.good = m.sign(m.number)
	m.forged = m.sign((m.number+1)%crowdSize, accesstest.SignedByStranger())
}

// sign returns a token of this member, or of another of the same kind.
func (m *member) sign(number int, options ...accesstest.Option) string {
	if m.id != "" {
		return m.suite.team.SignService(audience, fmt.Sprintf("robot-%02d.access", number), options...)
	}
	return m.suite.team.SignUser(audience, fmt.Sprintf("member-%02d@example.com", number), options...)
}

// dress puts the token where it is looked for, in turns: three times out of four
// into the header.
func dress(token string, turn int) http.Header {
	header := inHeader(token)
	switch turn % 4 {
	case 1:
		header = inCookie(token)
	case 2:
		header = with(header, "Cookie", cookies(token))
	}
	return with(header, core.EmailHeader, eve)
}

// call sends the good token.
func (m *member) call(turn int) error {
	got, err := m.suite.try(m.suite.plain, http.MethodGet, PathWhoAmI, dress(m.good, turn), "")
	if err != nil {
		return err
	}
	saw, err := parseSighting(got)
	if err != nil {
		return err
	}
	if saw.Claims == nil || !saw.Claims.same(saw.Context) ||
		saw.Claims.Email != m.email || saw.Claims.CommonName != m.id {
		return fmt.Errorf("%s was not taken for itself: %v", m.email+m.id, saw)
	}
	if saw.Claims.Token != m.good {
		return errors.New("the claims hold another token than was sent")
	}
	var emails []string
	if m.email != "" {
		emails = []string{m.email}
	}
	if !slices.Equal(saw.Emails, emails) {
		return fmt.Errorf("%s: the handler saw the email header %q", m.email+m.id, saw.Emails)
	}
	return nil
}

// intrude sends the forged token.
func (m *member) intrude(turn int) error {
	got, err := m.suite.try(m.suite.plain, http.MethodGet, PathWhoAmI, dress(m.forged, turn), "")
	if err != nil {
		return err
	}
	if want := core.Refuse(core.ErrSignature); got.status != want.Status || got.body != string(want.Body()) {
		return fmt.Errorf("a forged token was not refused but answered with %d: %.300s", got.status, got.body)
	}
	return nil
}
