package main

import (
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

func newReport(w io.Writer) *report {
	return &report{w: w, tallies: make(map[string]tally), offences: make(map[string]int)}
}

// Whatever the clients send, every framework answers it as the oracle says. All
// kinds of requests occur.
func TestRequests(t *testing.T) {
	s := &soak{team: accesstest.NewTeam(teamName), stranger: accesstest.NewTeam(teamName)}
	defer s.team.Close()
	defer s.stranger.Close()
	s.publish("", 0)
	t.Chdir("../..")
	s.gate = filepath.Join(t.TempDir(), "cfaccess")
	if output, err := exec.Command("go", "build", "-buildvcs=false", "-o", s.gate, "./cmd/cfaccess").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	seen := make(map[string]bool)
	for i, framework := range s.servers() {
		var output strings.Builder
		r := newReport(&output)
		log := &fetchLog{pace: make(pace), report: func(kind, detail string) { t.Errorf("%s: %s: %s", framework, kind, detail) }}
		addr, stop := s.start(framework, log)
		random, acceptances := rand.New(rand.NewPCG(1, uint64(i))), 0
		for range 300 {
			clear(s.tokens[:]) // so that a token is signed each time
			token, header := s.next(random)
			seen[token.kind] = true
			sent := time.Now()
			outcome, body := ask(http.DefaultClient, addr, header)
			answered := time.Now()
			if _, kind, detail := judgeOf(framework, token.truth, log.between(sent, answered), outcome, body, sent, answered); kind != "" {
				r.offence(framework, kind, token.kind+": "+detail)
			}
			if outcome == accepted {
				acceptances++
			}
		}
		http.DefaultClient.CloseIdleConnections()
		stop()
		if !r.print() {
			t.Error(output.String())
		}
		if acceptances < 60 {
			t.Errorf("%s: %d of 300 requests were accepted", framework, acceptances)
		}
	}
	for _, kind := range kinds {
		if !seen[kind.name] {
			t.Errorf("no request with the token %q", kind.name)
		}
	}
	for _, kind := range []string{
		"no token", "two token headers", "cookie after four bad ones", "good cookie after a bad one", "bad header, good cookie",
	} {
		if !seen[kind] {
			t.Errorf("no request %q", kind)
		}
	}
}

func TestFlip(t *testing.T) {
	for _, character := range "AZaz09-_" {
		raw := strings.Repeat(string(character), 342)
		if flipped := flip(raw); flipped == raw || len(flipped) != len(raw) {
			t.Errorf("%c: flip returns %q", character, flipped)
		}
	}
}

// The handler's answer has every email header that a program may see.
func TestIdentity(t *testing.T) {
	header := make(http.Header)
	for _, name := range emailNames {
		header[name] = []string{"mallory@example.com"}
	}
	if got := identity(t.Context(), header); got != "nobody" {
		t.Errorf("identity without claims is %q", got)
	}
	same := describe("ada", "token", "ada")
	for _, other := range []string{describe("bob", "token", "ada"), describe("ada", "other", "ada"), describe("ada", "token", "ada,mallory")} {
		if other == same {
			t.Errorf("two identities are described as %q", same)
		}
	}
}

// Each fault has the verifier fail or go on as the table says.
func TestFaults(t *testing.T) {
	s := &soak{team: accesstest.NewTeam(teamName), stranger: accesstest.NewTeam(teamName)}
	defer s.team.Close()
	defer s.stranger.Close()
	for _, fault := range faults {
		if strings.HasPrefix(fault.name, "outage") {
			continue // takes seconds, and fails as another does
		}
		t.Run(fault.name, func(t *testing.T) {
			s.publish("", 0)
			fault.begin(s)
			log := &fetchLog{pace: make(pace), report: func(kind, detail string) { t.Errorf("%s: %s", kind, detail) }}
			err := newVerifier(s.team.URL, log).Refresh(t.Context())
			if failed := err != nil; failed != fault.fails {
				t.Errorf("fails is %t, want %t: %v", failed, fault.fails, err)
			}
			if !log.has(!fault.fails, time.Time{}) {
				t.Errorf("the log has no such fetch: %+v", log.fetches)
			}
		})
	}
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReport(io.Discard)
		s := &soak{report: r, logs: []*fetchLog{{}, {}}}
		began := time.Now()
		time.AfterFunc(time.Second, func() {
			for _, log := range s.logs {
				log.mu.Lock()
				log.fetches = append(log.fetches, &fetch{begun: time.Now(), document: "a", ended: time.Now()})
				log.mu.Unlock()
			}
		})
		if s.await(true, began); len(r.offences) > 0 || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %v", r.offences, time.Since(began))
		}
		if s.await(false, began); r.offences["no fetch"] != 2 {
			t.Errorf("offences are %v, want two for two servers without a bad fetch", r.offences)
		}
	})
}

func TestReport(t *testing.T) {
	var output strings.Builder
	r := newReport(&output)
	r.during("rotate")
	r.count(0, accepted)
	r.count(3, unavailable)
	r.count(3, "connection refused")
	if !r.print() {
		t.Error("there is an offence")
	}
	if fields := strings.Join(strings.Fields(output.String()), " "); !strings.Contains(fields, "rotate 0/1/0 0/0/0 0/0/0 1/0/1") {
		t.Errorf("printed is %s", output.String())
	}
	for range 9 {
		r.offence("gin", "wrong refusal", "the request")
	}
	if r.print() {
		t.Error("there is no offence")
	}
	if got := strings.Count(output.String(), "the request"); got != 3 {
		t.Errorf("%d offences of a kind are printed, want 3", got)
	}
	if !strings.Contains(output.String(), "wrong refusal: 9") {
		t.Errorf("the count of a kind is not printed: %s", output.String())
	}
}

// Tokens are replaced, so that a new key comes into use, and tokens of the one
// before stay for a while.
func TestPick(t *testing.T) {
	s := &soak{team: accesstest.NewTeam(teamName), stranger: accesstest.NewTeam(teamName)}
	defer s.team.Close()
	defer s.stranger.Close()
	random, kids := rand.New(rand.NewPCG(1, 1)), make(map[string]int)
	for range 500 {
		s.pick(random)
	}
	before := s.team.KeyID()
	s.team.Rotate()
	for range 1000 {
		kids[s.pick(random).kid]++
	}
	if kids[before] < 100 || kids[s.team.KeyID()] < 100 {
		t.Errorf("of 1000 tokens %d are of the key before, and %d of the new one", kids[before], kids[s.team.KeyID()])
	}
}
