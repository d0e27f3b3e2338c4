package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A class is a reason for which ours and a peer may differ, and the tokens that
// it holds for. Where ours refuses what the peer accepts, rules are those of ours
// that the peer doesn't have; where the peer refuses, there are none.
type class struct {
	name  string
	peer  string
	rules ruleSet
	when  func(o *outcome, why string) bool // nil: always; why is the peer's error
	why   string
}

// classOf returns the class by which a difference from a peer is explained, or nil
// if there is no difference. Each rule that the token breaks needs a class, since
// one that the peer has too would have had it refuse; the first gives the name.
func (o *outcome) classOf(peer int) (*class, error) {
	theirs := o.peers[peer]
	if (theirs == nil) == (o.ours == nil) {
		return nil, nil
	}
	if theirs != nil {
		for i := range peerStricter {
			c := &peerStricter[i]
			if c.peer == peers[peer] && c.when(o, theirs.Error()) {
				return c, nil
			}
		}
		return nil, fmt.Errorf("wrong accept, of no named class: %s says: %w", peers[peer], theirs)
	}
	var first *class
	for _, r := range o.broken.rules() {
		c := o.excuse(r, peers[peer])
		if c == nil {
			return nil, fmt.Errorf("stricter, of no named class: %s accepts, and \"%v\" is broken", peers[peer], r)
		}
		if first == nil {
			first = c
		}
	}
	return first, nil
}

// excuse returns the class that explains why a peer doesn't mind a broken rule.
// One of the mutations must have been able to break it.
func (o *outcome) excuse(r rule, peer string) *class {
	if !slices.ContainsFunc(o.done, func(a applied) bool { return slices.Contains(ruleFacts[r].levels, a.level) }) {
		return nil
	}
	for i := range oursStricter {
		c := &oursStricter[i]
		if c.peer == peer && c.rules.has(r) && (c.when == nil || c.when(o, "")) {
			return c
		}
	}
	return nil
}

// folds reports whether a member's name differs from one of these in case only.
func folds(v *value, names ...string) bool {
	if v == nil {
		return false
	}
	return slices.ContainsFunc(v.names, func(found string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return found != name && strings.EqualFold(found, name) })
	})
}

// given reports whether there is a member of one of these names.
func given(v *value, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return len(v.all(name)) > 0 })
}

// anyOf reports whether a member of one of these names is as described.
func anyOf(v *value, is func(value) bool, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.ContainsFunc(v.all(name), is) })
}

func isNull(v value) bool { return v.kind == kindNull }

// twice reports whether a member's name comes more than once.
func twice(v *value) bool {
	if v == nil {
		return false
	}
	names := slices.Sorted(slices.Values(v.names))
	return len(slices.Compact(names)) < len(v.names)
}

// fractionOf reports whether a date has a fraction which decides: without it the
// date would be on the other side of the edge.
func (o *outcome) fractionOf(d date, edge float64) bool {
	now := float64(o.at.UnixMilli()) / 1000
	_, fraction := math.Modf(d.seconds)
	return d.given && fraction != 0 && math.Abs(d.seconds-now-edge) <= 1
}

// nullAgain reports whether a member of that name comes again as null.
func nullAgain(v *value, name string) bool {
	all := v.all(name)
	return len(all) > 1 && slices.ContainsFunc(all[1:], isNull)
}
