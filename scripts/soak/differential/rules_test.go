package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What each rule is broken by, and what is just not enough to break it.
func TestRules(t *testing.T) {
	c := testCourt(t)
	now := time.Unix(1_800_000_000, 0)
	claim := func(name, value string) func(*draft) {
		return func(d *draft) { d.claims.set(name, value) }
	}
	field := func(name, value string) func(*draft) {
		return func(d *draft) { d.header.set(name, value) }
	}
	again := func(name, value string) func(*draft) {
		return func(d *draft) { d.claims = append(d.claims, member{quote(name), value}) }
	}
	without := func(name string) func(*draft) {
		return func(d *draft) { d.claims[d.claims.find(name)].name = `"x"` }
	}
	seconds := func(offset float64) string { return fmt.Sprintf("%f", float64(now.Unix())+offset) }
	for name, test := range map[string]struct {
		edit  func(*draft)
		after func(token string) string
		want  ruleSet
	}{
		"good":                      {},
		"previous key":              {edit: func(d *draft) { signWith(d, d.keys.previous, rs256) }},
		"iss with a slash":          {edit: claim("iss", `"`+issuer+`/"`), want: setOf(ruleIssuer)},
		"iss null":                  {edit: claim("iss", "null"), want: setOf(ruleIssuer)},
		"iss missing":               {edit: without("iss"), want: setOf(ruleIssuer)},
		"iss a number":              {edit: claim("iss", "1"), want: setOf(ruleIssuer, ruleClaimType)},
		"iss escaped":               {edit: claim("iss", `"\u0068ttps:\/\/acme.cloudflareaccess.com"`)},
		"iss again, another":        {edit: again("iss", `"x"`), want: setOf(ruleIssuer)},
		"iss again, null":           {edit: again("iss", "null"), want: setOf(ruleIssuer)},
		"ISS beside iss":            {edit: again("ISS", `"x"`)},
		"aud a string":              {edit: claim("aud", `"`+audience+`"`)},
		"aud one of two":            {edit: claim("aud", `["x","`+audience+`"]`)},
		"aud in a list in the list": {edit: claim("aud", `[["`+audience+`"]]`), want: setOf(ruleAudience, ruleClaimType)},
		"aud another":               {edit: claim("aud", `["x"]`), want: setOf(ruleAudience)},
		"aud empty":                 {edit: claim("aud", `[]`), want: setOf(ruleAudience)},
		"aud with a number":         {edit: claim("aud", `["`+audience+`",1]`), want: setOf(ruleClaimType)},
		"aud with null":             {edit: claim("aud", `[null,"`+audience+`"]`)},
		"aud again, null in a list": {edit: again("aud", "[null]"), want: setOf(ruleAudience)},
		"type org":                  {edit: claim("type", `"org"`), want: setOf(ruleType)},
		"type empty":                {edit: claim("type", `""`), want: setOf(ruleType)},
		"type null":                 {edit: claim("type", "null")},
		"type APP":                  {edit: claim("type", `"APP"`), want: setOf(ruleType)},
		"exp missing":               {edit: without("exp"), want: setOf(ruleExpGiven)},
		"exp a string":              {edit: claim("exp", `"1900000000"`), want: setOf(ruleExpGiven, ruleDate)},
		"exp at the edge":           {edit: claim("exp", seconds(-30)), want: setOf(ruleExp)},
		"exp before the edge":       {edit: claim("exp", seconds(-29.9))},
		"exp in 9999":               {edit: claim("exp", "253402300799")},
		"exp after 9999":            {edit: claim("exp", "253402300800"), want: setOf(ruleDate, ruleExpGiven)},
		"exp beyond float64":        {edit: claim("exp", "1e400"), want: setOf(ruleDate, ruleExpGiven)},
		"exp again, null":           {edit: again("exp", "null"), want: setOf(ruleExpGiven)},
		"nbf at the edge":           {edit: claim("nbf", seconds(30))},
		"nbf after the edge":        {edit: claim("nbf", seconds(30.1)), want: setOf(ruleNbf)},
		"nbf null":                  {edit: claim("nbf", "null")},
		"iat at the edge":           {edit: claim("iat", seconds(30))},
		"iat after the edge":        {edit: claim("iat", seconds(30.1)), want: setOf(ruleIat)},
		"iat before 1970":           {edit: claim("iat", "-5e3")},
		"email a number":            {edit: claim("email", "1"), want: setOf(ruleClaimType)},
		"custom a string":           {edit: claim("custom", `"x"`), want: setOf(ruleClaimType)},
		"custom beyond float64":     {edit: claim("custom", `{"x":[1e400]}`), want: setOf(ruleRange)},
		"other beyond float64":      {edit: claim("x", "1e400")},
		"alg none":                  {edit: field("alg", `"none"`), want: setOf(ruleAlg)},
		"alg missing":               {edit: func(d *draft) { d.header = d.header[1:] }, want: setOf(ruleAlgGiven)},
		"alg in another case":       {edit: field("alg", `"rs256"`), want: setOf(ruleAlg)},
		"alg a number":              {edit: field("alg", "256"), want: setOf(ruleAlg, ruleFieldType)},
		"kid empty":                 {edit: field("kid", `""`), want: setOf(ruleKid)},
		"kid null":                  {edit: field("kid", "null"), want: setOf(ruleKid)},
		"kid a list":                {edit: field("kid", `["x"]`), want: setOf(ruleKid, ruleFieldType)},
		"kid unknown":               {edit: field("kid", `"x"`), want: setOf(rulePublished)},
		"kid of the other key":      {edit: func(d *draft) { disguise(d, d.keys.previous) }, want: setOf(ruleSignature)},
		"crit":                      {edit: field("crit", `["exp"]`), want: setOf(ruleCrit)},
		"crit null":                 {edit: field("crit", "null"), want: setOf(ruleCrit)},
		"Crit":                      {edit: field("Crit", `["exp"]`)},
		"jwk":                       {edit: func(d *draft) { d.header.set("jwk", jwkText(d.keys.stranger)) }},
		"typ a number":              {edit: field("typ", "1")},
		"withdrawn key":             {edit: func(d *draft) { signWith(d, d.keys.withdrawn, rs256) }, want: setOf(rulePublished)},
		"weak key":                  {edit: func(d *draft) { signWith(d, d.keys.weak, rs256) }, want: setOf(ruleUsable)},
		"stranger's key":            {edit: func(d *draft) { d.signing.key = d.keys.stranger }, want: setOf(ruleSignature)},
		"SHA-512":                   {edit: func(d *draft) { d.signing.method = rs512 }, want: setOf(ruleSignature)},
		"unsigned":                  {edit: func(d *draft) { d.signing.method = unsigned }, want: setOf(ruleSignature)},
		"trailing space":            {after: func(s string) string { return s + " " }, want: setOf(ruleSignatureSpelling)},
		"padded signature":          {after: func(s string) string { return s + "==" }, want: setOf(ruleSignatureSpelling)},
		"line break":                {after: func(s string) string { return s + "\n" }, want: setOf(ruleSignatureSpelling, ruleLineBreak)},
		"four segments":             {after: func(s string) string { return s + ".e30" }, want: setOf(ruleForm)},
		"no signature":              {after: func(s string) string { return s[:strings.LastIndexByte(s, '.')+1] }, want: setOf(ruleSignature)},
		"over 8 KiB":                {edit: claim("x", `"`+strings.Repeat("x", 6000)+`"`), want: setOf(ruleSize)},
		"header over 2 KiB":         {edit: field("x", `"`+strings.Repeat("x", 1600)+`"`), want: setOf(ruleHeaderSize)},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft(c.keys, now, random(testSeed, 5))
			if test.edit != nil {
				test.edit(d)
			}
			d.finish(nil, nil)
			if test.after != nil {
				d.token = test.after(d.token)
			}
			if got := c.rules.read(d.token).at(now); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}
