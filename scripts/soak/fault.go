package main

import "time"

// A fault is one thing that goes wrong with a team's keys, and then is over.
type fault struct {
	name   string
	answer answer // what the certs endpoint answers meanwhile; nil: the document
	lasts  func(p pace) time.Duration

	usable    bool // the answer is one that has to be taken
	rotates   bool // a new key, in the middle of the fault
	withdraws bool // a new key at once, and later only that one is published
	floods    bool // strangers come in numbers
	calm      bool // no stranger comes: a made-up kid would start the cooldown
	always    bool // part of every run, however short
	stalls    bool // a fetch fails when FetchTimeout is over
}

// The lengths of faults.
func lastsStep(p pace) time.Duration   { return p.Step }
func lastsFault(p pace) time.Duration  { return p.Fault }
func lastsStall(p pace) time.Duration  { return p.Stall }
func lastsOutage(p pace) time.Duration { return p.Outage }

var faults = []*fault{
	{name: "rotate", lasts: lastsStep, rotates: true, calm: true, always: true},
	{name: "rotate in a flood", lasts: lastsStep, rotates: true, floods: true, always: true},
	{name: "withdraw", lasts: lastsStep, withdraws: true, always: true},
	{name: "odd keys", lasts: lastsStep, answer: answerOddKeys, usable: true, always: true},
	{name: "200 MB", lasts: lastsFault, answer: answerHuge, always: true},
	{name: "reset", lasts: lastsFault, answer: answerReset},
	{name: "500", lasts: lastsFault, answer: answerError},
	{name: "{}", lasts: lastsFault, answer: answerEmpty},
	{name: "HTML", lasts: lastsFault, answer: answerPage},
	{name: "redirect", lasts: lastsFault, answer: answerRedirect},
	{name: "hang", lasts: lastsStall, answer: answerHang, stalls: true},
	{name: "drip", lasts: lastsStall, answer: answerDrip, stalls: true},
	{name: "outage, rotate", lasts: lastsFault, answer: answerError, rotates: true},
	{name: "long outage", lasts: lastsOutage, answer: answerReset},
}

// fails reports whether fetches fail meanwhile.
func (f *fault) fails() bool { return f.answer != nil && !f.usable }

// recovers is how long it takes at most until all is well after the fault.
func (f *fault) recovers(p pace) time.Duration {
	if !f.fails() {
		return 0
	}
	failing := f.lasts(p)
	if f.stalls {
		failing -= p.FetchTimeout // the first one has failed only then
	}
	// Some more, or a retry that is a bit late meets the next fault.
	return recovery(failing) + 2*scheduling
}
