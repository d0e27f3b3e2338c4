package main

import (
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/soak/instrument"
)

// marked is a server's transport: it says whose fetch it is, always the first.
type marked struct{ number int }

func (m *marked) RoundTrip(r *http.Request) (*http.Response, error) {
	m.number++
	r = r.Clone(r.Context())
	r.Header.Set(instrument.ServerHeader, "std")
	r.Header.Set(instrument.FetchHeader, strconv.Itoa(m.number))
	return http.DefaultTransport.RoundTrip(r)
}

// A fault makes a fetch fail if it says so, and the log says which it was.
func TestFaults(t *testing.T) {
	t.Parallel()
	team, stranger := accesstest.NewTeam(teamName), accesstest.NewTeam("umbrella")
	defer team.Close()
	defer stranger.Close()
	for _, f := range append(faults, nil) {
		name := "none"
		if f != nil {
			name = f.name
		}
		t.Run(name, func(t *testing.T) {
			log := &fetchLog{}
			e := newEndpoint(team, stranger, map[string]*fetchLog{"std": log})
			timeout := patience
			if f != nil && f.stalls {
				timeout = time.Second
			}
			client := &http.Client{Transport: &marked{}} // numbers the fetches
			refresh := func(timeout time.Duration) error {
				v, err := core.New(core.Config{
					Team: teamName, Audiences: []string{audience}, Endpoint: team.URL, FetchTimeout: timeout,
					Logger: slog.New(slog.DiscardHandler), HTTPClient: client,
				})
				if err != nil {
					t.Fatal(err)
				}
				return v.Refresh(t.Context())
			}
			e.misbehave(f)
			fails := f != nil && f.fails()
			if err := refresh(timeout); fails != (err != nil) {
				t.Errorf("got %v, fails: %t", err, fails)
			}
			// What hung is noted when its client has gone, a moment later.
			for deadline := time.Now().Add(patience); len(log.all()) == 0 || log.all()[0].servedAt.IsZero(); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the log is %+v", log.all())
				}
			}
			e.misbehave(nil)
			if err := refresh(patience); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			fetches, published := log.all(), kidsOf(team.Certs())
			wantAnswer, wantKids := "", published
			if f != nil && f.answer != nil {
				wantAnswer = f.name
			}
			if fails {
				wantKids = nil
			}
			if got := fetches[0]; got.answer != wantAnswer || !slices.Equal(got.kids, wantKids) {
				t.Errorf("the first is %q with %d keys, want %q with %d", got.answer, len(got.kids), wantAnswer, len(wantKids))
			}
			if got := fetches[1]; got.answer != "" || !slices.Equal(got.kids, published) {
				t.Errorf("the second is %q with %d keys, want the document", got.answer, len(got.kids))
			}
		})
	}
}
