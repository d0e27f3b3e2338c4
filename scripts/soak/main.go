// Command soak serves a handler behind each adapter, on loopback, and sends it
// good and bad tokens while the certs endpoint of the team fails in every way.
// It judges each answer and each fetch of the keys, and exits with 1 if one is
// wrong.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

const (
	teamName = "acme"
	clients  = 4                    // of each server
	every    = 8 * time.Millisecond // a client sends a request
	patience = 10 * time.Second     // with a busy machine
)

// A soak is a run.
type soak struct {
	gate           string           // path of cfaccess; empty: without the servers that need it
	team, stranger *accesstest.Team // of one name, with different keys
	logs           []*fetchLog      // as frameworks
	report         *report
	tokens         [64]atomic.Pointer[token] // more than a verifier caches
}

func main() {
	length := flag.Duration("for", 20*time.Second, "`duration`; a minute has time for every fault")
	gate := flag.String("gate", "", "`path` of cfaccess; a run of a minute or more soaks its gate too")
	seed := flag.Uint64("seed", rand.Uint64(), "`number` that the order of faults and the choice of requests follow from")
	flag.Parse()
	fmt.Printf("soak -for %v -seed %d\n", *length, *seed)
	if *length < time.Minute {
		*gate = "" // it asks for keys every ten seconds at most, so that each fault takes longer
	}
	if !run(os.Stdout, *gate, *length, *seed) {
		os.Exit(1)
	}
}

// run runs a soak and reports whether nothing was wrong.
func run(w io.Writer, gate string, length time.Duration, seed uint64) bool {
	goroutines := runtime.NumGoroutine()
	r := &report{began: time.Now(), w: w, tallies: make(map[string]tally), offences: make(map[string]int)}
	s := &soak{gate: gate, team: accesstest.NewTeam(teamName), stranger: accesstest.NewTeam(teamName), report: r}
	r.during(faults[0].name)
	faults[0].begin(s) // before the first request
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	stops := []func(){s.team.Close, s.stranger.Close}
	for i, framework := range s.servers() {
		log := &fetchLog{pace: make(pace), report: func(kind, detail string) { r.offence(framework, kind, detail) }}
		addr, stop := s.start(framework, log)
		s.logs, stops = append(s.logs, log), append(stops, stop)
		for j := range clients {
			random := rand.New(rand.NewPCG(seed, uint64(1+i*clients+j)))
			group.Go(func() { s.send(ctx, i, log, addr, random) })
		}
	}
	before := heap()
	s.conduct(rand.New(rand.NewPCG(seed, 0)), r.began.Add(length))
	cancel()
	group.Wait()

	if after := heap(); after > before+8<<20 {
		r.offence("the process", "heap not flat", fmt.Sprintf("%d bytes, and at the end %d", before, after))
	}
	for _, stop := range stops {
		stop()
	}
	// The frameworks leave some goroutines.
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > goroutines+4; time.Sleep(calm) {
		if time.Now().After(deadline) {
			r.offence("the process", "goroutines not flat", fmt.Sprintf("%d, and at the end %d", goroutines, runtime.NumGoroutine()))
			break
		}
	}
	return r.print()
}

// servers returns the frameworks that can run here.
func (s *soak) servers() []string {
	all := frameworks[:]
	if _, err := exec.LookPath("nginx"); err != nil {
		all = all[:len(all)-1]
	}
	if s.gate == "" {
		all = all[:slices.Index(all, "gate")]
	}
	return all
}

// heap returns the size of the live heap.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// send sends requests to a server over a connection that is kept alive, until
// ctx ends, and judges the answers.
func (s *soak) send(ctx context.Context, framework int, log *fetchLog, addr string, random *rand.Rand) {
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: patience}
	defer client.CloseIdleConnections()
	for ; ctx.Err() == nil; time.Sleep(every) {
		t, header := s.next(random)
		sent := time.Now()
		outcome, body := ask(client, addr, header)
		answered := time.Now()
		outcome, offence, detail := judgeOf(frameworks[framework], t.truth, log.between(sent, answered), outcome, body, sent, answered)
		s.report.count(framework, outcome)
		if offence != "" {
			s.report.offence(frameworks[framework], offence, fmt.Sprintf("%s: %s\n\t%q", t.kind, detail, header))
		}
	}
}

// ask returns what a server answers.
func ask(client *http.Client, addr string, header http.Header) (outcome, body string) {
	response, err := client.Do(&http.Request{URL: &url.URL{Scheme: "http", Host: addr, Path: "/"}, Header: header})
	if err != nil {
		return err.Error(), ""
	}
	defer response.Body.Close()
	content, _ := io.ReadAll(response.Body) // one that is cut is not right
	var problem struct{ Code string }
	_ = json.Unmarshal(content, &problem) // nor is a refusal without a code
	return fmt.Sprintf("%d %s", response.StatusCode, problem.Code), string(content)
}

// A tally counts answers by framework: refused, accepted, 503.
type tally [len(frameworks)][3]int

var columns = map[string]int{accepted: 1, unavailable: 2}

// A report counts answers and offences. It is safe for concurrent use.
type report struct {
	began time.Time
	w     io.Writer

	mu        sync.Mutex // guards the fields below
	situation string
	tallies   map[string]tally // by situation
	offences  map[string]int   // by kind
}

// during names the situation from now on.
func (r *report) during(situation string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.situation = situation
}

// count counts an answer.
func (r *report) count(framework int, outcome string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tallies[r.situation]
	t[framework][columns[outcome]]++
	r.tallies[r.situation] = t
}

// offence notes that something is wrong, and prints the first of each kind.
func (r *report) offence(where, kind, detail string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.offences[kind]++; r.offences[kind] <= 3 {
		fmt.Fprintf(r.w, "%v, %s, %s: %s: %s\n", time.Since(r.began).Round(time.Millisecond), r.situation, where, kind, detail)
	}
}

// print prints the summary and reports whether there was no offence.
func (r *report) print() bool {
	fmt.Fprintf(r.w, "%-22s", "refused/accepted/503")
	for _, framework := range frameworks {
		fmt.Fprintf(r.w, "%18s", framework)
	}
	for _, situation := range slices.Sorted(maps.Keys(r.tallies)) {
		fmt.Fprintf(r.w, "\n%-22s", situation)
		for _, n := range r.tallies[situation] {
			fmt.Fprintf(r.w, "%18s", fmt.Sprintf("%d/%d/%d", n[0], n[1], n[2]))
		}
	}
	fmt.Fprintf(r.w, "\n%v: %d kinds of offences\n", time.Since(r.began).Round(time.Second), len(r.offences))
	for kind, n := range r.offences {
		fmt.Fprintf(r.w, "%s: %d\n", kind, n)
	}
	return len(r.offences) == 0
}
