package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	certsPath      = "/cdn-cgi/access/certs"
	documentHeader = "Soak-Document"       // of a certs answer: the document, if a verifier has to take it
	answerTime     = 20 * time.Millisecond // of the certs endpoint, as over a network
	recovery       = 20 * time.Second      // how long a verifier may take; core's backoff is at most 8 s here
	calm           = 200 * time.Millisecond
)

// faults are what goes wrong with the certs endpoint, and changes of the keys.
// A run begins with the first four.
var faults = []struct {
	name  string
	begin func(s *soak)
	fails bool // so that fetches fail, and then each server has to notice
}{
	{"503, at first no keys", func(s *soak) { s.team.Fail(http.StatusServiceUnavailable) }, true},
	{"rotate", func(s *soak) { s.team.Rotate() }, false},
	{"withdraw", func(s *soak) { s.team.Rotate(); s.team.Withdraw() }, false},
	{"2 MiB", func(s *soak) { s.team.Serve(strings.Replace(string(s.stranger.Certs()), "{", twoMiB, 1)) }, true},
	{"outage beyond MaxStale", func(s *soak) { s.team.Fail(http.StatusTooManyRequests); time.Sleep(maxStale + time.Second) }, true},
	{"unusable keys", func(s *soak) { s.publish(unusableKeys, 0) }, false},
	{"slow", func(s *soak) { s.publish("", fetchTimeout/3) }, false},
	{"500", func(s *soak) { s.team.Fail(http.StatusInternalServerError) }, true},
	{"rotate while it fails", func(s *soak) { s.team.Fail(http.StatusBadGateway); s.team.Rotate() }, true},
	{"{}", func(s *soak) { s.team.Serve("{}") }, true},
	{"HTML", func(s *soak) { s.team.Serve("<!DOCTYPE html><title>Just a moment...</title>") }, true},
	{"redirect", func(s *soak) { s.team.Handle(http.RedirectHandler(s.stranger.URL+certsPath, http.StatusFound)) }, true},
	{"hang", func(s *soak) { s.team.Hang() }, true},
	{"dropped", func(s *soak) { s.team.Handle(drop) }, true},
}

var twoMiB = `{"x":"` + strings.Repeat("x", 2<<20) + `",`

var drop http.HandlerFunc = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

const unusableKeys = `7,{"kid":"new","kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"},{"kid":"weak","kty":"RSA","e":"Aw","n":"AQAB"},`

// publish has the endpoint answer with the team's keys, and more before them.
func (s *soak) publish(more string, wait time.Duration) {
	s.team.Handle(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(answerTime + wait)
		document := s.team.Certs()
		w.Header().Set(documentHeader, string(document))
		_, _ = w.Write(slices.Insert(document, len(`{"keys":[`), []byte(more)...)) // the log says why it fails
	}))
}

// conduct plays faults until a time: the first four, and then all in random order.
func (s *soak) conduct(random *rand.Rand, end time.Time) {
	order := append([]int{0, 1, 2, 3}, random.Perm(len(faults))...)
	for i := 0; i < 4 || time.Now().Before(end); i++ {
		fault := faults[order[i%len(order)]]
		s.report.during(fault.name)
		began := time.Now()
		fault.begin(s)
		s.await(!fault.fails, began)
		s.publish("", 0)
		s.await(true, time.Now())
		time.Sleep(calm) // the clients see that good tokens are accepted again
	}
}

// await waits until all servers have made a fetch, a good one or not, and
// reports those that don't in time.
func (s *soak) await(good bool, since time.Time) {
	deadline := time.Now().Add(recovery)
	for i, log := range s.logs {
		for !log.has(good, since) && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
		if !log.has(good, since) {
			s.report.offence(frameworks[i], "no fetch", fmt.Sprintf("none within %v that is good: %t", recovery, good))
		}
	}
}
