package main

import (
	"fmt"
	"strings"
)

// An outcome is what a situation came to.
type outcome struct {
	answers []answer
	fetches int // of the team's keys, where the situation counts them
}

// An expectation says which outcomes hold. Every answer must be as it says.
type expectation struct {
	status     int
	text       string
	answers    int  // how many; 0 means one
	retryAfter bool // the Retry-After header must be there

	// How many fetches there may be; they don't matter if mostFetches is 0.
	leastFetches, mostFetches int
}

// welcome expects the handler's answer.
func welcome(text string) expectation {
	return expectation{status: 200, text: text}
}

// refused expects a refusal, with the code of its problem document.
func refused(status int, code string) expectation {
	return expectation{status: status, text: code}
}

func (e expectation) holds(o outcome) bool {
	if len(o.answers) != max(e.answers, 1) {
		return false
	}
	for _, a := range o.answers {
		if a.status != e.status || a.text != e.text || (a.retryAfter != "") != e.retryAfter {
			return false
		}
	}
	return e.mostFetches == 0 || e.leastFetches <= o.fetches && o.fetches <= e.mostFetches
}

func (e expectation) String() string {
	s := fmt.Sprintf("%d %s", e.status, e.text)
	if e.answers > 1 {
		s = fmt.Sprintf("%d × %s", e.answers, s)
	}
	if e.retryAfter {
		s += ", Retry-After"
	}
	switch {
	case e.mostFetches == 0:
	case e.leastFetches == e.mostFetches:
		s += ", " + countFetches(e.mostFetches)
	default:
		s += ", at most " + countFetches(e.mostFetches)
	}
	return s
}

// describe puts the outcome into words. It mentions what e looks at.
func (e expectation) describe(o outcome) string {
	var kinds []answer // different ones, in the order they came
	times := make(map[answer]int)
	for _, a := range o.answers {
		if times[a] == 0 {
			kinds = append(kinds, a)
		}
		times[a]++
	}
	var parts []string
	for _, a := range kinds {
		s := a.String()
		if len(o.answers) > 1 {
			s = fmt.Sprintf("%d × %s", times[a], s)
		}
		parts = append(parts, s)
	}
	if e.mostFetches > 0 {
		parts = append(parts, countFetches(o.fetches))
	}
	return strings.Join(parts, ", ")
}

func countFetches(n int) string {
	if n == 1 {
		return "1 fetch"
	}
	return fmt.Sprintf("%d fetches", n)
}
