package main

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
)

// A level is what a mutation changes, as a reader of tokens sees it.
type level string

const (
	levelClaims level = "claims"
	levelHeader level = "header"
	levelKeys   level = "keys"
	levelJSON   level = "JSON"
	levelBase64 level = "base64"
	levelBytes  level = "bytes"
)

// A stage is when in the making of a token a mutation is done. What comes
// before the last is covered by the signature.
type stage int

const (
	stageMembers stage = iota
	stageText
	stageSegments
	stageToken
)

// A mutation changes a draft at its stage.
type mutation struct {
	name  string
	level level
	stage stage
	// apply returns what it did in a few words, or "" if there was nothing to
	// change.
	apply func(d *draft, r *rand.Rand) string
}

// mutations are all kinds, by level.
var mutations = slices.Concat(
	claimMutations, dateMutations, headerMutations, keyMutations, jsonMutations, base64Mutations, byteMutations,
)

// An applied mutation is one that a token has undergone.
type applied struct {
	*mutation
	what string
}

func (a applied) String() string {
	if a.what == a.name {
		return string(a.level) + ": " + a.name
	}
	return string(a.level) + ": " + a.name + ": " + a.what
}

func describe(list []applied) string {
	if len(list) == 0 {
		return "none"
	}
	var words []string
	for _, a := range list {
		words = append(words, a.String())
	}
	return strings.Join(words, "; ")
}

// A menu are mutations to choose from. Each level is as likely as another,
// however many kinds it has.
type menu [][]*mutation

// beforeSigning and afterSigning are the menus of a signed token and of what can
// be made of it without another signature.
var (
	beforeSigning = newMenu(func(m *mutation) bool { return m.stage < stageToken })
	afterSigning  = newMenu(func(m *mutation) bool { return m.stage == stageToken })
)

func newMenu(eligible func(*mutation) bool) menu {
	var m menu
	for _, l := range []level{levelClaims, levelHeader, levelKeys, levelJSON, levelBase64, levelBytes} {
		var kinds []*mutation
		for i := range mutations {
			if mutations[i].level == l && eligible(&mutations[i]) {
				kinds = append(kinds, &mutations[i])
			}
		}
		if kinds != nil {
			m = append(m, kinds)
		}
	}
	return m
}

// choose returns count mutations in the order of their stages.
func (m menu) choose(r *rand.Rand, count int) []*mutation {
	var chosen []*mutation
	for range count {
		chosen = append(chosen, pick(r, pick(r, m...)...))
	}
	slices.SortStableFunc(chosen, func(a, b *mutation) int { return cmp.Compare(a.stage, b.stage) })
	return chosen
}

// finish renders, encodes and signs a draft, with the mutations each at its
// stage.
func (d *draft) finish(r *rand.Rand, chosen []*mutation) []applied {
	done := d.apply(r, chosen, stageMembers)
	d.render()
	done = append(done, d.apply(r, chosen, stageText)...)
	d.encode()
	done = append(done, d.apply(r, chosen, stageSegments)...)
	d.sign()
	return append(done, d.apply(r, chosen, stageToken)...)
}

// apply carries out those of the mutations that are of this stage.
func (d *draft) apply(r *rand.Rand, chosen []*mutation, s stage) []applied {
	var done []applied
	for _, m := range chosen {
		if m.stage != s {
			continue
		}
		if what := m.apply(d, r); what != "" {
			done = append(done, applied{m, what})
		}
	}
	return done
}
