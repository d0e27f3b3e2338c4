package main

import (
	"fmt"
	"time"

	"github.com/cfaccess/cfaccess/scripts/soak/instrument"
)

// conclude judges what is left to judge, stops the servers and reports.
func (s *soak) conclude(c *conductor, began, ended time.Time) *report {
	settled := time.NewTimer(time.Until(ended.Add(s.court.settles())))
	if s.rest() == nil {
		<-settled.C
	}
	for _, client := range s.clients {
		client.docket.hear(time.Now())
	}
	for _, slow := range s.slow {
		slow.docket.hear(time.Now())
	}
	r := &report{
		options: s.options, pace: s.pace, machine: thisMachine(), length: ended.Sub(began),
		bands: c.bands, tally: s.court.tally, offences: s.court.offences,
	}
	rules := fetchRules{pace: s.pace, pauses: s.pauses, ends: ended}
	for i, server := range s.servers {
		r.servers = append(r.servers, s.inspect(server, rules, s.samples[i], r))
	}
	r.meet(s.court, s.servers, began)
	return r
}

// inspect checks a server as a whole, and stops it.
func (s *soak) inspect(server *server, rules fetchRules, samples []instrument.Sample, r *report) inspected {
	accuse := func(what verdict, at time.Time, kind, expected, got string) {
		s.court.accuse(server, what, at, r.faultAt(s.court.tally.since(at)), kind, expected, got)
	}
	fetches := server.log.all()
	rules.check(fetches, func(f fetch, what verdict, expected, got string) {
		accuse(what, f.begunAt, fmt.Sprintf("fetch %d (%s)", f.number, f.reason), expected, got)
	})
	checkSamples(samples, func(kind, expected, got string) { accuse(leak, time.Now(), kind, expected, got) })
	if server.hasEnded() {
		accuse(crashed, time.Now(), "the process", "to run", server.exit.Error())
	} else if err := server.stop(); err != nil {
		accuse(crashed, time.Now(), "the process", "exit status 0 when it is stopped", err.Error())
	}
	if text := server.trouble.String(); text != "" {
		accuse(crashed, time.Now(), "stderr", "nothing", text)
	}
	result := inspected{name: server.name, fetches: len(fetches), allowed: rules.allowedFetches(fetches, r.length), samples: samples}
	for _, f := range fetches {
		result.atOnce = max(result.atOnce, f.atOnce)
		result.body = max(result.body, f.bytes)
	}
	return result
}
