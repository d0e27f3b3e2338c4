package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// A fetch that took a moment, and one that failed.
func goodFetch(at time.Duration, reason string) fetch {
	return fetch{begun: after(at), document: "a", served: after(at + moment), ended: after(at + 2*moment), reason: reason}
}

func badFetch(at time.Duration, reason string) fetch {
	return fetch{begun: after(at), ended: after(at + moment), reason: reason, err: errors.New("status 500")}
}

func TestPace(t *testing.T) {
	const refresh, unknown = core.ReasonRefresh, core.ReasonUnknownKid
	first := goodFetch(0, core.ReasonFirst)
	taken := fetch{ended: after(moment)}
	refused := goodFetch(0, refresh)
	refused.err = errors.New("no usable key")
	late := refused
	late.ended = after(fetchTimeout)
	huge := badFetch(0, refresh)
	huge.err = fmt.Errorf("reading: %w", &http.MaxBytesError{})
	for name, test := range map[string]struct {
		fetches []fetch
		want    []string // of the last one
	}{
		"first":                            {[]fetch{first}, nil},
		"refresh":                          {[]fetch{first, goodFetch(refreshInterval, refresh)}, nil},
		"refresh at once":                  {[]fetch{first, goodFetch(refreshInterval/2, refresh)}, []string{"fetch too early"}},
		"unknown kid":                      {[]fetch{first, goodFetch(3*moment, unknown)}, nil},
		"unknown kid, again":               {[]fetch{first, goodFetch(0, unknown), goodFetch(cooldown, unknown)}, nil},
		"unknown kid, again within slack":  {[]fetch{first, goodFetch(0, unknown), goodFetch(cooldown-slack, unknown)}, nil},
		"unknown kid, within the cooldown": {[]fetch{first, goodFetch(0, unknown), goodFetch(moment, unknown)}, []string{"fetch too early"}},
		"unknown kid, a refresh between": {
			[]fetch{first, goodFetch(refreshInterval, unknown), goodFetch(2*refreshInterval, refresh), goodFetch(2*refreshInterval+moment, unknown)}, nil,
		},
		"retry":            {[]fetch{badFetch(0, refresh), goodFetch(moment+leastBackoff, refresh)}, nil},
		"retry at once":    {[]fetch{badFetch(0, refresh), goodFetch(2*moment, refresh)}, []string{"fetch too early"}},
		"unknown kid soon": {[]fetch{badFetch(0, refresh), goodFetch(2*moment, unknown)}, []string{"fetch too early"}},
		"bad document":     {[]fetch{taken}, []string{"bad document taken"}},
		"good document":    {[]fetch{refused}, []string{"good document refused"}},
		"timed out":        {[]fetch{late}, nil},
		"huge":             {[]fetch{huge}, []string{"body read beyond 1 MiB"}},
	} {
		p := make(pace)
		var got []string
		for _, f := range test.fetches {
			got = p.check(f)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: offences are %q, want %q", name, got, test.want)
		}
	}
}

func TestBetween(t *testing.T) {
	document := func(document string, begun, served, ended time.Duration) *fetch {
		f := &fetch{begun: after(begun), document: document, served: after(served)}
		if ended != 0 {
			f.ended = after(ended)
		}
		return f
	}
	failed := func(f *fetch) *fetch { f.err = errors.New("cut"); return f }
	const s = time.Second
	old := document("old", -9*s, -8*s, -7*s)
	for name, test := range map[string]struct {
		fetches []*fetch
		want    []string
	}{
		"none":                      {nil, []string{""}},
		"one":                       {[]*fetch{old}, []string{"old"}},
		"newer":                     {[]*fetch{old, document("new", -3*s, -2*s, -s)}, []string{"new"}},
		"ended when it was sent":    {[]*fetch{old, document("new", -3*s, -2*s, -1)}, []string{"new"}},
		"ended meanwhile":           {[]*fetch{old, document("new", -3*s, -2*s, 1)}, []string{"new", "old"}},
		"not ended":                 {[]*fetch{old, document("new", -3*s, -2*s, 0)}, []string{"new", "old"}},
		"served meanwhile":          {[]*fetch{old, document("new", -3*s, moment, 3*moment)}, []string{"new", "old"}},
		"served later":              {[]*fetch{old, document("new", -3*s, 2*moment, 3*moment)}, []string{"old"}},
		"failed":                    {[]*fetch{old, failed(document("new", -3*s, -2*s, -s))}, []string{"old"}},
		"without a document":        {[]*fetch{old, document("", -3*s, -2*s, -s)}, []string{"old"}},
		"first meanwhile":           {[]*fetch{document("new", -3*s, -2*s, 1)}, []string{"new", ""}},
		"first failed":              {[]*fetch{failed(document("new", -3*s, -2*s, -s))}, []string{""}},
		"two meanwhile":             {[]*fetch{old, document("b", -s, 1, 2), document("c", 3, 4, 5)}, []string{"c", "b", "old"}},
		"withdrawn since a newer":   {[]*fetch{old, document("b", -5*s, -4*s, -3*s), document("c", -2*s, -s, 1)}, []string{"c", "b"}},
		"failed one in the between": {[]*fetch{old, document("b", -5*s, -4*s, -3*s), document("", -2*s, -s, 1)}, []string{"b"}},
	} {
		log := &fetchLog{fetches: test.fetches}
		var got []string
		for _, f := range log.between(start, after(moment)) {
			got = append(got, f.document)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: documents are %q, want %q", name, got, test.want)
		}
	}
}

func TestHas(t *testing.T) {
	good, bad := goodFetch(0, ""), badFetch(0, "")
	running := fetch{begun: start, document: "a", served: start}
	for name, test := range map[string]struct {
		fetch fetch
		good  bool
		after time.Time
		want  bool
	}{
		"good":               {good, true, after(-moment), true},
		"good, begun before": {good, true, start, false},
		"good, not bad":      {good, false, after(-moment), false},
		"bad":                {bad, false, after(-moment), true},
		"bad, not good":      {bad, true, after(-moment), false},
		"running":            {running, true, after(-moment), false},
	} {
		log := &fetchLog{fetches: []*fetch{&test.fetch}}
		if got := log.has(test.good, test.after); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}

// The transport sees two requests at once, what the endpoint says of the
// document, and how much is read.
func TestRoundTrip(t *testing.T) {
	arrived, answer := make(chan struct{}), make(chan struct{})
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-answer
		w.Header().Set(documentHeader, "a")
		_, _ = io.WriteString(w, strings.Repeat("x", 2<<20))
	}))
	defer endpoint.Close()
	var offences []string
	log := &fetchLog{pace: make(pace), report: func(kind, _ string) { offences = append(offences, kind) }}
	client := &http.Client{Transport: log}
	read := make(chan error)
	get := func() {
		response, err := client.Get(endpoint.URL)
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		read <- err
	}
	go get()
	<-arrived
	go get()
	<-arrived
	close(answer)
	for range 2 {
		log.fetched(t.Context(), core.Fetch{Reason: core.ReasonFirst, Err: <-read})
	}
	go get()
	<-arrived
	log.fetched(t.Context(), core.Fetch{Reason: core.ReasonFirst, Err: <-read})
	want := []string{"two fetches at once", "body read beyond 1 MiB", "good document refused"}
	for _, kind := range want {
		if !slices.Contains(offences, kind) {
			t.Errorf("offences are %q, without %q", offences, kind)
		}
	}
	if n := len(log.fetches); n != 3 || log.fetches[2].document != "a" || log.fetches[2].served.IsZero() || log.open != 0 {
		t.Errorf("%d fetches, the last %+v, %d open", n, log.fetches[n-1], log.open)
	}
}

func TestFetchesAreBounded(t *testing.T) {
	endpoint := httptest.NewServer(http.NotFoundHandler())
	defer endpoint.Close()
	log := &fetchLog{pace: make(pace), report: func(string, string) {}}
	for range 100 {
		response, err := log.RoundTrip(httptest.NewRequest(http.MethodGet, endpoint.URL, nil))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	if n := len(log.fetches); n > 65 {
		t.Errorf("%d fetches are kept", n)
	}
}
