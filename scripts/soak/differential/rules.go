package main

import (
	"math/bits"
	"strings"

	"github.com/cfaccess/cfaccess/core"
)

// A rule is what a good token keeps. They are written down here from the facts
// about Access tokens and the RFCs, and share no code with what is tested.
type rule int

const (
	ruleSize rule = iota
	ruleForm
	ruleLineBreak
	ruleHeaderSize
	ruleHeaderSpelling
	ruleClaimsSpelling
	ruleSignatureSpelling
	ruleHeaderJSON
	ruleClaimsJSON
	ruleTrailing
	ruleRange
	ruleFieldType
	ruleAlgGiven
	ruleAlg
	ruleKid
	ruleCrit
	rulePublished
	ruleUsable
	ruleSignature
	ruleClaimType
	ruleDate
	ruleIssuer
	ruleAudience
	ruleType
	ruleExpGiven
	ruleExp
	ruleNbf
	ruleIat
	ruleCount
)

// ruleFacts say what each rule is, which error ours gives where it is broken, and
// at which levels a mutation can break it and leave the signature genuine.
var ruleFacts = [ruleCount]struct {
	name   string
	is     error
	levels []level
}{
	ruleSize:              {"at most 8 KiB", core.ErrMalformed, []level{levelClaims, levelHeader, levelJSON, levelBase64, levelBytes}},
	ruleForm:              {"three segments", core.ErrMalformed, []level{levelBase64, levelBytes}},
	ruleLineBreak:         {"no line break", core.ErrMalformed, []level{levelBase64, levelBytes}},
	ruleHeaderSize:        {"header of at most 2 KiB", core.ErrMalformed, []level{levelHeader, levelJSON, levelBase64, levelBytes}},
	ruleHeaderSpelling:    {"one spelling of the header", core.ErrMalformed, []level{levelBase64, levelBytes}},
	ruleClaimsSpelling:    {"one spelling of the claims", core.ErrMalformed, []level{levelBase64, levelBytes}},
	ruleSignatureSpelling: {"one spelling of the signature", core.ErrMalformed, []level{levelBase64, levelBytes}},
	ruleHeaderJSON:        {"header is a JSON object", core.ErrMalformed, []level{levelHeader, levelJSON, levelBase64}},
	ruleClaimsJSON:        {"claims are a JSON object", core.ErrMalformed, []level{levelClaims, levelJSON, levelBase64}},
	ruleTrailing:          {"nothing after the JSON", core.ErrMalformed, []level{levelJSON, levelBase64, levelBytes}},
	ruleRange:             {"numbers in custom within the range of float64", core.ErrMalformed, []level{levelClaims, levelJSON}},
	ruleFieldType:         {"header fields of their types", core.ErrMalformed, []level{levelHeader, levelJSON}},
	ruleAlgGiven:          {"alg is there", core.ErrMalformed, []level{levelHeader, levelKeys, levelJSON, levelBase64}},
	ruleAlg:               {"alg is RS256", core.ErrSignature, []level{levelHeader, levelKeys, levelJSON}},
	ruleKid:               {"kid is there", core.ErrMalformed, []level{levelHeader, levelJSON, levelBase64}},
	ruleCrit:              {"no crit", core.ErrMalformed, []level{levelHeader}},
	rulePublished:         {"key is published", core.ErrUnknownKey, []level{levelHeader, levelKeys, levelJSON}},
	ruleUsable:            {"key is fit for Access tokens", core.ErrUnknownKey, []level{levelHeader, levelKeys}},
	ruleSignature:         {"signature is genuine", core.ErrSignature, []level{levelHeader, levelKeys, levelBase64, levelBytes}},
	ruleClaimType:         {"claims of their types", core.ErrMalformed, []level{levelClaims, levelJSON}},
	ruleDate:              {"dates are numbers up to the year 9999", core.ErrMalformed, []level{levelClaims, levelJSON}},
	ruleIssuer:            {"iss is the team's", core.ErrIssuer, []level{levelClaims, levelJSON, levelKeys, levelBase64}},
	ruleAudience:          {"aud has ours", core.ErrAudience, []level{levelClaims, levelJSON, levelBase64}},
	ruleType:              {"type is app or absent", core.ErrTokenType, []level{levelClaims, levelJSON}},
	ruleExpGiven:          {"exp is there", core.ErrMalformed, []level{levelClaims, levelJSON, levelBase64}},
	ruleExp:               {"now < exp + leeway", core.ErrExpired, []level{levelClaims, levelJSON}},
	ruleNbf:               {"nbf ≤ now + leeway", core.ErrNotYetValid, []level{levelClaims, levelJSON}},
	ruleIat:               {"iat ≤ now + leeway", core.ErrNotYetValid, []level{levelClaims, levelJSON}},
}

func (r rule) String() string { return ruleFacts[r].name }

// A ruleSet is a set of rules.
type ruleSet uint32

func setOf(rules ...rule) ruleSet {
	var s ruleSet
	for _, r := range rules {
		s |= 1 << r
	}
	return s
}

func (s *ruleSet) add(r rule)     { *s |= 1 << r }
func (s ruleSet) has(r rule) bool { return s&(1<<r) != 0 }

func (s ruleSet) rules() []rule {
	var rules []rule
	for ; s != 0; s &= s - 1 {
		rules = append(rules, rule(bits.TrailingZeros32(uint32(s))))
	}
	return rules
}

func (s ruleSet) String() string {
	if s == 0 {
		return "all kept"
	}
	var names []string
	for _, r := range s.rules() {
		names = append(names, r.String())
	}
	return "broken: " + strings.Join(names, ", ")
}
