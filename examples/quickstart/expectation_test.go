package main

import (
	"net/http"
	"slices"
	"testing"
)

func TestExpectation(t *testing.T) {
	ok := answer{status: 200, text: "hello"}
	refusal := answer{status: 401, text: "token_invalid"}
	unavailable := answer{status: 503, text: "keys_unavailable", retryAfter: "2"}
	oneFetch := expectation{status: 200, text: "hello", leastFetches: 1, mostFetches: 1}
	flood := expectation{status: 401, text: "token_invalid", answers: 3, mostFetches: 2}
	retry := expectation{status: 503, text: "keys_unavailable", retryAfter: true}

	for name, test := range map[string]struct {
		want        expectation
		got         outcome
		holds       bool
		description string
	}{
		"as expected":     {welcome("hello"), outcome{answers: []answer{ok}}, true, "200 hello"},
		"other status":    {refused(403, "token_invalid"), outcome{answers: []answer{refusal}}, false, "401 token_invalid"},
		"other text":      {welcome("hello ada"), outcome{answers: []answer{ok}}, false, "200 hello"},
		"no answer":       {welcome("hello"), outcome{}, false, ""},
		"an answer extra": {welcome("hello"), outcome{answers: []answer{ok, ok}}, false, "2 × 200 hello"},

		"fetches not looked at": {welcome("hello"), outcome{[]answer{ok}, 9}, true, "200 hello"},
		"no fetch of one":       {oneFetch, outcome{[]answer{ok}, 0}, false, "200 hello, 0 fetches"},
		"one fetch of one":      {oneFetch, outcome{[]answer{ok}, 1}, true, "200 hello, 1 fetch"},
		"two fetches of one":    {oneFetch, outcome{[]answer{ok}, 2}, false, "200 hello, 2 fetches"},
		"most fetches":          {flood, outcome{slices.Repeat([]answer{refusal}, 3), 2}, true, "3 × 401 token_invalid, 2 fetches"},
		"a fetch too many":      {flood, outcome{slices.Repeat([]answer{refusal}, 3), 3}, false, "3 × 401 token_invalid, 3 fetches"},

		"an answer missing": {flood, outcome{slices.Repeat([]answer{refusal}, 2), 2}, false, "2 × 401 token_invalid, 2 fetches"},
		"one slips through": {flood, outcome{[]answer{refusal, ok, refusal}, 2}, false, "2 × 401 token_invalid, 1 × 200 hello, 2 fetches"},

		"Retry-After":               {retry, outcome{answers: []answer{unavailable}}, true, "503 keys_unavailable, Retry-After: 2"},
		"Retry-After missing":       {retry, outcome{answers: []answer{{status: 503, text: "keys_unavailable"}}}, false, "503 keys_unavailable"},
		"Retry-After without cause": {refused(503, "keys_unavailable"), outcome{answers: []answer{unavailable}}, false, "503 keys_unavailable, Retry-After: 2"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.want.holds(test.got); got != test.holds {
				t.Errorf("holds: got %t, want %t", got, test.holds)
			}
			if got := test.want.describe(test.got); got != test.description {
				t.Errorf("described as %q, want %q", got, test.description)
			}
		})
	}
}

func TestExpectationString(t *testing.T) {
	for want, e := range map[string]expectation{
		"200 hello":          welcome("hello"),
		"401 token_missing":  refused(401, "token_missing"),
		"200 hello, 1 fetch": {status: 200, text: "hello", leastFetches: 1, mostFetches: 1},
		"3 × 401 token_invalid, at most 2 fetches": {status: 401, text: "token_invalid", answers: 3, mostFetches: 2},
		"503 keys_unavailable, Retry-After":        {status: 503, text: "keys_unavailable", retryAfter: true},
	} {
		if got := e.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	const problem = `{"status":401,"code":"token_missing"}`
	for name, test := range map[string]struct {
		contentType, body string
		want              string
	}{
		"problem document":     {"application/problem+json", problem, "token_missing"},
		"problem with charset": {"application/problem+json; charset=utf-8", problem, "token_missing"},
		"other JSON":           {"application/json", problem, problem},
		"no content type":      {"", problem, problem},
		"problem without code": {"application/problem+json", `{"status":401}`, `{"status":401}`},
		"broken problem":       {"application/problem+json", `{"code":`, `{"code":`},
		"text":                 {"text/plain", " hello\n\tada \n", "hello ada"},
	} {
		t.Run(name, func(t *testing.T) {
			response := &http.Response{StatusCode: 401, Header: http.Header{"Content-Type": {test.contentType}}}
			want := answer{status: 401, text: test.want}
			if got := readAnswer(response, []byte(test.body)); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
