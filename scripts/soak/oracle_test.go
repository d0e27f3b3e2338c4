package main

import (
	"slices"
	"testing"
	"time"
)

// The request of these tests is sent at start and answered a moment later.
var start = time.Now()

const moment = 10 * time.Millisecond

func after(d time.Duration) time.Time { return start.Add(d) }

// keysOf returns keys that were fetched a time before the request.
func keysOf(age time.Duration, kids string) fetch {
	return fetch{begun: after(-age), document: kids}
}

func TestAllowed(t *testing.T) {
	none := fetch{}
	good := truth{kid: "a", outcome: accepted}
	expiring := func(d time.Duration) truth { return truth{kid: "a", outcome: accepted, expires: after(d)} }
	for name, test := range map[string]struct {
		truth truth
		keys  []fetch
		want  []string
	}{
		"good":                            {good, []fetch{keysOf(0, "a b")}, []string{accepted}},
		"good, no keys yet":               {good, []fetch{none}, []string{unavailable}},
		"good, first keys meanwhile":      {good, []fetch{keysOf(0, "a b"), none}, []string{accepted, unavailable}},
		"good, not fetched yet":           {good, []fetch{keysOf(0, "b c")}, []string{invalid}},
		"good, fetched meanwhile":         {good, []fetch{keysOf(0, "a b"), keysOf(time.Second, "b c")}, []string{accepted, invalid}},
		"good, withdrawn meanwhile":       {good, []fetch{keysOf(0, "b"), keysOf(time.Second, "a b")}, []string{accepted, invalid}},
		"good, keys nearly stale":         {good, []fetch{keysOf(maxStale-slack-2*moment, "a")}, []string{accepted}},
		"good, keys stale soon":           {good, []fetch{keysOf(maxStale-moment, "a")}, []string{accepted, unavailable}},
		"good, keys stale":                {good, []fetch{keysOf(maxStale+moment, "a")}, []string{unavailable}},
		"good, stale keys lack it":        {good, []fetch{keysOf(maxStale+moment, "b")}, []string{unavailable}},
		"good, stale and new keys":        {good, []fetch{keysOf(0, "a"), keysOf(maxStale+moment, "a")}, []string{accepted, unavailable}},
		"expires later":                   {expiring(time.Second), []fetch{keysOf(0, "a")}, []string{accepted}},
		"expires when it is answered":     {expiring(moment), []fetch{keysOf(0, "a")}, []string{accepted, expired}},
		"expires meanwhile":               {expiring(moment / 2), []fetch{keysOf(0, "a")}, []string{accepted, expired}},
		"expires when it is sent":         {expiring(0), []fetch{keysOf(0, "a")}, []string{expired}},
		"expired":                         {expiring(-time.Second), []fetch{keysOf(0, "a")}, []string{expired}},
		"expired, key not fetched yet":    {expiring(-time.Second), []fetch{keysOf(0, "b")}, []string{invalid}},
		"expired, no keys yet":            {expiring(-time.Second), []fetch{none}, []string{unavailable}},
		"bad":                             {truth{kid: "a", outcome: invalid}, []fetch{keysOf(0, "a")}, []string{invalid}},
		"bad, no keys yet":                {truth{kid: "a", outcome: invalid}, []fetch{none}, []string{invalid, unavailable}},
		"bad, unknown key":                {truth{kid: "x", outcome: invalid}, []fetch{keysOf(0, "a")}, []string{invalid}},
		"not yet valid":                   {truth{kid: "a", outcome: "401 nyv"}, []fetch{keysOf(0, "a")}, []string{"401 nyv"}},
		"without a kid":                   {truth{outcome: invalid}, []fetch{keysOf(0, "a")}, []string{invalid}},
		"without a kid, no keys yet":      {truth{outcome: invalid}, []fetch{none}, []string{invalid}},
		"no token, stale keys":            {truth{outcome: "401 missing"}, []fetch{keysOf(2*maxStale, "a")}, []string{"401 missing"}},
		"not yet valid, unpublished keys": {truth{kid: "a", outcome: "401 nyv"}, []fetch{keysOf(0, "b")}, []string{invalid}},
	} {
		got := allowed(test.truth, test.keys, start, after(moment))
		slices.Sort(got)
		slices.Sort(test.want)
		if got = slices.Compact(got); !slices.Equal(got, test.want) {
			t.Errorf("%s: allowed are %q, want %q", name, got, test.want)
		}
	}
}

func TestJudge(t *testing.T) {
	good := truth{kid: "a", outcome: accepted, body: "ada"}
	bad := truth{kid: "a", outcome: invalid}
	published, withdrawn := []fetch{keysOf(0, "a b")}, []fetch{keysOf(0, "b")}
	for name, test := range map[string]struct {
		truth         truth
		keys          []fetch
		outcome, body string
		want          string
	}{
		"good":                           {good, published, accepted, "ada", ""},
		"another's body":                 {good, published, accepted, "bob", "another identity"},
		"no body":                        {good, published, accepted, "", "another identity"},
		"good refused":                   {good, published, invalid, "", "wrong refusal"},
		"good with 503":                  {good, published, unavailable, "", "wrong refusal"},
		"good with 500":                  {good, published, "500 ", "", "wrong refusal"},
		"good without an answer":         {good, published, "connection refused", "", "wrong refusal"},
		"good, 503 without keys":         {good, []fetch{{}}, unavailable, "", ""},
		"good, accepted without keys":    {good, []fetch{{}}, accepted, "ada", "bad token accepted"},
		"withdrawn":                      {good, withdrawn, invalid, "", ""},
		"withdrawn, accepted":            {good, withdrawn, accepted, "ada", "bad token accepted"},
		"stale keys, accepted":           {good, []fetch{keysOf(maxStale+moment, "a")}, accepted, "ada", "bad token accepted"},
		"bad":                            {bad, published, invalid, "", ""},
		"bad, accepted":                  {bad, published, accepted, "", "bad token accepted"},
		"bad, wrong code":                {bad, published, expired, "", "wrong refusal"},
		"bad, right code, wrong status":  {bad, published, "500 token_invalid", "", "wrong refusal"},
		"bad, 503":                       {bad, published, unavailable, "", "wrong refusal"},
		"malformed, 503 without keys":    {truth{outcome: invalid}, []fetch{{}}, unavailable, "", "wrong refusal"},
		"expired, accepted":              {truth{kid: "a", outcome: accepted, expires: start}, published, accepted, "", "bad token accepted"},
		"expired":                        {truth{kid: "a", outcome: accepted, expires: start}, published, expired, "", ""},
		"expired, and said to be broken": {truth{kid: "a", outcome: accepted, expires: start}, published, invalid, "", "wrong refusal"},
	} {
		if got, detail := judge(test.truth, test.keys, test.outcome, test.body, start, after(moment)); got != test.want {
			t.Errorf("%s: judged %q, want %q (%s)", name, got, test.want, detail)
		}
	}
}
