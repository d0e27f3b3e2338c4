package main

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// A second is what was answered in one.
type second struct{ Accepted, Refused, Unavailable int }

func (s *second) add(status int) {
	switch {
	case status < http.StatusBadRequest:
		s.Accepted++
	case status == http.StatusServiceUnavailable:
		s.Unavailable++
	default:
		s.Refused++
	}
}

// A tally counts answers, by the second and by the fault. It is safe for
// concurrent use.
type tally struct {
	mu      sync.Mutex // guards the fields below
	began   time.Time
	total   second
	seconds []second
	faults  map[string]*share
}

// A share is what was answered during faults of one name.
type share struct {
	second
	latencies []time.Duration // of valid requests that were accepted
}

func newTally() *tally { return &tally{began: time.Now(), faults: make(map[string]*share)} }

// begin says that the storm begins now. What came before doesn't count.
func (t *tally) begin(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began, t.total, t.seconds, t.faults = now, second{}, nil, make(map[string]*share)
}

// since is how far into the storm a moment is.
func (t *tally) since(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Sub(t.began)
}

// add counts an answer.
func (t *tally) add(fault string, status int, valid bool, sent, answered time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := max(int(answered.Sub(t.began)/time.Second), 0)
	for len(t.seconds) <= i {
		t.seconds = append(t.seconds, second{})
	}
	s := t.faults[fault]
	if s == nil {
		s = &share{}
		t.faults[fault] = s
	}
	t.total.add(status)
	t.seconds[i].add(status)
	s.add(status)
	if valid && status == http.StatusOK {
		s.latencies = append(s.latencies, answered.Sub(sent))
	}
}

// percentile returns the least of the sorted values that p percent of them do
// not exceed (the nearest rank), or 0 if there are none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max((len(sorted)*p+99)/100, 1)-1]
}

// latency returns the median, the 99th percentile and the worst.
func (s *share) latency() (p50, p99, worst time.Duration) {
	sorted := slices.Sorted(slices.Values(s.latencies))
	return percentile(sorted, 50), percentile(sorted, 99), percentile(sorted, 100)
}
