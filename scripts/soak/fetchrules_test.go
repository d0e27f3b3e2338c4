package main

import (
	"slices"
	"testing"
	"time"
)

func TestFetchRules(t *testing.T) {
	t.Parallel()
	change := func(f *fetch, edit func(*fetch)) *fetch { edit(f); return f }
	first := func() *fetch { return worked(1, 0, reasonAsked, "old") }
	for name, test := range map[string]struct {
		fetches []*fetch
		ends    int
		want    []verdict
	}{
		"a refresh in time":      {[]*fetch{first(), worked(2, 2000, reasonRefresh, "old")}, 2100, nil},
		"a refresh a bit early":  {[]*fetch{first(), worked(2, 1701, reasonRefresh, "old")}, 2100, nil},
		"a refresh too early":    {[]*fetch{first(), worked(2, 1699, reasonRefresh, "old")}, 2100, []verdict{tooManyFetch}},
		"a refresh late":         {[]*fetch{first(), worked(2, 5999, reasonRefresh, "old")}, 6100, nil},
		"a refresh too late":     {[]*fetch{first(), worked(2, 6001, reasonRefresh, "old")}, 6100, []verdict{overdueFetch}},
		"no refresh":             {[]*fetch{first()}, 6001, []verdict{overdueFetch}},
		"no refresh yet":         {[]*fetch{first()}, 5999, nil},
		"an unknown kid":         {[]*fetch{first(), worked(2, 50, reasonUnknownKid, "old")}, 100, nil},
		"two in a cooldown":      {[]*fetch{first(), worked(2, 50, reasonUnknownKid, "old"), worked(3, 749, reasonUnknownKid, "old")}, 800, []verdict{tooManyFetch}},
		"two cooldowns":          {[]*fetch{first(), worked(2, 50, reasonUnknownKid, "old"), worked(3, 1050, reasonUnknownKid, "old")}, 1100, nil},
		"a refresh between them": {[]*fetch{first(), worked(2, 1950, reasonUnknownKid, "old"), worked(3, 2650, reasonUnknownKid, "old")}, 2700, nil},
		"a retry":                {[]*fetch{first(), broke(2, 2000, reasonRefresh), worked(3, 3030, reasonRefresh, "old")}, 3100, nil},
		"a retry too early":      {[]*fetch{first(), broke(2, 2000, reasonRefresh), worked(3, 2729, reasonRefresh, "old")}, 3100, []verdict{tooManyFetch}},
		"a retry too late":       {[]*fetch{first(), broke(2, 2000, reasonRefresh), worked(3, 8031, reasonRefresh, "old")}, 8100, []verdict{overdueFetch}},
		"a second retry":         {[]*fetch{first(), broke(2, 2000, reasonRefresh), broke(3, 3100, reasonRefresh), worked(4, 4500, reasonRefresh, "old")}, 4600, []verdict{tooManyFetch}},
		"an unknown kid in an outage": {
			[]*fetch{first(), broke(2, 2000, reasonRefresh), worked(3, 3500, reasonUnknownKid, "old")}, 3600, []verdict{tooManyFetch},
		},
		"two at once": {
			[]*fetch{first(), change(worked(2, 2000, reasonRefresh, "old"), func(f *fetch) { f.atOnce = 2 })}, 2100, []verdict{tooManyFetch},
		},
		"asked again":        {[]*fetch{first(), worked(2, 2000, reasonAsked, "old")}, 2100, []verdict{tooManyFetch}},
		"too much of a body": {[]*fetch{change(first(), func(f *fetch) { f.bytes = mostBody + 1 })}, 100, []verdict{tooMuchBody}},
		"enough of a body":   {[]*fetch{change(first(), func(f *fetch) { f.bytes = mostBody })}, 100, nil},
		"a bad document":     {[]*fetch{change(first(), func(f *fetch) { f.kids = nil })}, 100, []verdict{wrongKeys}},
		"a good one refused": {[]*fetch{change(first(), func(f *fetch) { f.err = "unknown key type" })}, 100, []verdict{wrongKeys}},
		"one that is lost":   {[]*fetch{change(first(), func(f *fetch) { f.landedAt = time.Time{} })}, 100, []verdict{overdueFetch}},
	} {
		t.Run(name, func(t *testing.T) {
			rules := fetchRules{pace: testPace, ends: ms(test.ends)}
			var got []verdict
			log := fetchLog{fetches: test.fetches}
			rules.check(log.all(), func(_ fetch, what verdict, _, _ string) { got = append(got, what) })
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("nobody came by", func(t *testing.T) {
		rules := fetchRules{pace: testPace, ends: ms(9100), pauses: []pause{{ms(1500), ms(9000)}}}
		log := fetchLog{fetches: []*fetch{first(), worked(2, 9001, reasonRefresh, "old")}}
		rules.check(log.all(), func(_ fetch, what verdict, expected, got string) {
			t.Errorf("%s: expected %s, got %s", what, expected, got)
		})
	})
}
