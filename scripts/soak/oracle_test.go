package main

import (
	"net/http"
	"testing"
	"time"
)

// The times of the tests are milliseconds after noon.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func ms(n int) time.Time { return noon.Add(time.Duration(n) * time.Millisecond) }

var testPace = pace{
	Leeway: time.Second, RefreshInterval: 2 * time.Second, MaxStale: 10 * time.Second,
	Cooldown: 1 * time.Second, FetchTimeout: 500 * time.Millisecond,
}

// worked is a fetch that took 30 ms and brought these keys.
func worked(number, begun int, reason string, kids ...string) *fetch {
	return &fetch{
		number: number, begunAt: ms(begun), begun: ms(begun).Sub(noon), atOnce: 1, servedAt: ms(begun + 10), kids: kids,
		landedAt: ms(begun + 30), landed: ms(begun + 30).Sub(noon), reason: reason,
	}
}

// broke is a fetch that failed.
func broke(number, begun int, reason string) *fetch {
	f := worked(number, begun, reason)
	f.kids, f.err, f.answer = nil, "status 500", "500"
	return f
}

func TestOracle(t *testing.T) {
	t.Parallel()
	keys := newKeyring()
	keys.add("old", ms(-100_000))
	keys.add("new", ms(1000))
	o := &oracle{testPace, keys}

	ok := outcome{status: http.StatusOK, body: "You are ada.\n"}
	eve := outcome{status: http.StatusOK, body: "You are eve.\n"}
	forbidden := outcome{status: http.StatusForbidden, code: codeForbidden}
	refused := func(code string) outcome { return outcome{status: http.StatusUnauthorized, code: code} }
	unready := outcome{status: http.StatusServiceUnavailable, code: codeUnavailable}
	good := func(kid string) truth { return truth{kid: kid, body: ok.body} }

	// old, then both from 2010 to 2030 on, then new alone from 4010 to 4030 on.
	healthy := []*fetch{
		worked(1, 0, reasonAsked, "old"), worked(2, 2000, reasonRefresh, "old", "new"), worked(3, 4000, reasonRefresh, "new"),
	}
	strangers := []*fetch{worked(1, 0, reasonAsked, "old"), worked(2, 900, reasonUnknownKid, "old")}
	shared := []*fetch{worked(1, 0, reasonAsked, "old"), worked(2, 1100, reasonUnknownKid, "old", "new")}
	outage := []*fetch{worked(1, 0, reasonAsked, "old"), broke(2, 2000, reasonRefresh), broke(3, 3500, reasonRefresh)}
	idle := []*fetch{worked(1, 0, reasonAsked, "old")}
	const fine = verdict("")

	for name, test := range map[string]struct {
		fetches        []*fetch
		truth          truth
		got            outcome
		sent, answered int
		want           verdict
	}{
		"good":                         {healthy, good("old"), ok, 100, 110, fine},
		"good, somebody else's answer": {healthy, good("old"), eve, 100, 110, wrongIdentity},
		"good, refused":                {healthy, good("old"), refused(codeInvalid), 100, 110, falseRefusal},
		"good, 503":                    {healthy, good("old"), unready, 100, 110, unavailable},
		"good, 500":                    {healthy, good("old"), outcome{status: 500}, 100, 110, serverError},
		"withdrawn, before the document is served":  {healthy, good("old"), ok, 3990, 4005, fine},
		"withdrawn, answered once it is served":     {healthy, good("old"), ok, 4005, 4015, fine},
		"withdrawn, sent before it has landed":      {healthy, good("old"), ok, 4029, 4100, fine},
		"withdrawn, sent after it has landed":       {healthy, good("old"), ok, 4031, 4100, falseAccept},
		"withdrawn, refused before it is served":    {healthy, good("old"), refused(codeInvalid), 3990, 4009, falseRefusal},
		"withdrawn, refused once it is served":      {healthy, good("old"), refused(codeInvalid), 3990, 4011, fine},
		"withdrawn, refused after it has landed":    {healthy, good("old"), refused(codeInvalid), 4031, 4100, fine},
		"withdrawn, for the wrong reason":           {healthy, good("old"), refused(codeExpired), 4031, 4100, wrongRefusal},
		"rotated, accepted before it is served":     {healthy, good("new"), ok, 1990, 2009, falseAccept},
		"rotated, accepted once it is served":       {healthy, good("new"), ok, 1990, 2011, fine},
		"rotated, no fetch was made":                {healthy, good("new"), refused(codeInvalid), 1100, 1110, falseRefusal},
		"rotated, waited FetchTimeout in vain":      {healthy, good("new"), refused(codeInvalid), 1100, 1600, fine},
		"rotated, waited less":                      {healthy, good("new"), refused(codeInvalid), 1100, 1599, falseRefusal},
		"rotated, within the cooldown":              {strangers, good("new"), refused(codeInvalid), 1899, 1910, fine},
		"rotated, after the cooldown":               {strangers, good("new"), refused(codeInvalid), 1901, 1910, falseRefusal},
		"rotated, refused beside the fetch for it":  {shared, good("new"), refused(codeInvalid), 1105, 1120, falseRefusal},
		"rotated, accepted by the fetch for it":     {shared, good("new"), ok, 1105, 1140, fine},
		"rotated, refused though its fetch landed":  {shared, good("new"), refused(codeInvalid), 1131, 1140, falseRefusal},
		"rotated, the last fetch failed":            {outage, good("new"), refused(codeInvalid), 2500, 2510, fine},
		"rotated, before the fetch failed":          {outage, good("new"), refused(codeInvalid), 1600, 1690, falseRefusal},
		"outage, the last good keys serve":          {outage, good("old"), ok, 9000, 9010, fine},
		"outage, refused":                           {outage, good("old"), refused(codeInvalid), 9000, 9010, falseRefusal},
		"outage, 503 before MaxStale":               {outage, good("old"), unready, 9000, 9010, unavailable},
		"outage, 503 at MaxStale":                   {outage, good("old"), unready, 9990, 10_010, fine},
		"outage, accepted at MaxStale":              {outage, good("old"), ok, 9990, 10_010, fine},
		"outage, accepted after MaxStale":           {outage, good("old"), ok, 10_001, 10_010, falseAccept},
		"outage, 503 after MaxStale":                {outage, good("old"), unready, 10_001, 10_010, fine},
		"outage, refused after MaxStale":            {outage, good("old"), refused(codeInvalid), 10_001, 10_010, wrongRefusal},
		"outage, forged, 503 after MaxStale":        {outage, truth{kid: "old", code: codeInvalid}, unready, 10_001, 10_010, fine},
		"503 after MaxStale, but nothing failed":    {idle, good("old"), unready, 10_001, 10_010, unavailable},
		"before exp":                                {healthy, truth{kid: "old", expires: ms(500), body: ok.body}, ok, 490, 499, fine},
		"before exp, refused":                       {healthy, truth{kid: "old", expires: ms(500), body: ok.body}, refused(codeExpired), 490, 499, falseRefusal},
		"across exp":                                {healthy, truth{kid: "old", expires: ms(500), body: ok.body}, ok, 499, 510, fine},
		"across exp, refused":                       {healthy, truth{kid: "old", expires: ms(500), body: ok.body}, refused(codeExpired), 499, 510, fine},
		"from exp on":                               {healthy, truth{kid: "old", expires: ms(500), body: ok.body}, ok, 500, 510, falseAccept},
		"from exp on, refused":                      {healthy, truth{kid: "old", expires: ms(500), body: ok.body}, refused(codeExpired), 500, 510, fine},
		"expired behind a bad cookie":               {healthy, truth{kid: "old", expires: ms(500), behind: true}, refused(codeInvalid), 500, 510, fine},
		"another domain, 403":                       {healthy, truth{kid: "old", denied: true}, forbidden, 100, 110, fine},
		"another domain, let in":                    {healthy, truth{kid: "old", denied: true}, ok, 100, 110, falseAccept},
		"an administrator, 403":                     {healthy, good("old"), forbidden, 100, 110, wrongRefusal},
		"forged":                                    {healthy, truth{kid: "old", code: codeInvalid}, refused(codeInvalid), 100, 110, fine},
		"forged, accepted":                          {healthy, truth{kid: "old", code: codeInvalid}, ok, 100, 110, falseAccept},
		"forged, for the wrong reason":              {healthy, truth{kid: "old", code: codeNotYet}, refused(codeInvalid), 100, 110, wrongRefusal},
		"made-up kid":                               {healthy, truth{kid: "?", code: codeInvalid}, refused(codeInvalid), 100, 110, fine},
		"made-up kid, accepted":                     {healthy, truth{kid: "?", code: codeInvalid}, ok, 100, 110, falseAccept},
		"refused by its form, even after MaxStale":  {outage, truth{code: codeInvalid}, refused(codeInvalid), 10_001, 10_010, fine},
		"refused by its form, but 503":              {outage, truth{code: codeInvalid}, unready, 10_001, 10_010, unavailable},
		"no token":                                  {outage, truth{code: codeMissing}, refused(codeMissing), 10_001, 10_010, fine},
		"no token, accepted":                        {healthy, truth{code: codeMissing}, ok, 100, 110, falseAccept},
		"health check, even after MaxStale":         {outage, truth{body: ok.body}, ok, 10_001, 10_010, fine},
		"health check refused":                      {healthy, truth{body: ok.body}, refused(codeMissing), 100, 110, falseRefusal},
		"nothing was ever served, but it is let in": {nil, good("old"), ok, 100, 110, falseAccept},
	} {
		t.Run(name, func(t *testing.T) {
			log := &fetchLog{fetches: test.fetches, zero: noon}
			sent, answered := ms(test.sent), ms(test.answered)
			got := fine
			wrong := o.judge(test.truth, log.during(sent, answered), test.got, sent, answered)
			if wrong != nil {
				got = wrong.what
			}
			if got != test.want {
				t.Errorf("got %q (%v), want %q", got, wrong, test.want)
			}
		})
	}
}
