package differential

import (
	"fmt"
	"slices"
	"strings"
)

// jsonEdits are those that header and claims can have alike.
func jsonEdits(part string, syntax, after, utf8, large *class) []edit {
	segment := part + " segment"
	return slices.Concat(
		forms(part, []string{"{}}", "{}null", "{}x", "{},", "{}\x00", "{}//", "{}]", `{}"`, "{}{}", `{}{"exp":9999999999}`, "{}\v"}, after),
		forms(part, []string{"\ufeff{}", "\x00{}", "\v{}", "\u00a0{}", "{{}", "[{}", ")]}',\n{}", "//\n{}", "1{}", "\xff\xfe{}", "[{}]", `{"a":{}`}, syntax),
		forms(part, []string{"[]", "1", "true", `"x"`, "", " "}, syntax), replaces(part, 1, "}", []string{",}"}, syntax), replaces(part, 1, `"`, []string{"", "'"}, syntax),
		replaces(part, 1, ",", []string{",,", " ", ",/**/"}, syntax), replaces(part, 1, `":`, []string{`",`, `"=`, `"::`, `"`}, syntax),
		replaces(part, 1, "{", []string{"", "{,", `{"a":NaN,`, `{"a":01,`, `{"a":tru,`, `{1:2,`, `{a:2,`, `{"a":.5,`, `{"a":1.,`, `{"a":1e,`, `{"a":[1,],`, `{"a":[1,`}, syntax),
		replaces(part, 1, "{", []string{"{\"\x00\":1,", "{\"a\":\"\n\",", "{\xff\"a\":1,", `{"a":"\x",`, `{"a":"\u12",`, `{"a":"\u12g4",`, `{"a":"\'",`, `{"a":"\U0041",`}, syntax),
		replaces(part, 1, "{", []string{"{\"a\":\"\x7f\",", `{"a":"\u0000",`, `{"a":"\/\"",`, "{\"a\":\"\u2028\",", `{"a":"\ud83d\ude00",`, `{"a":1e-999,`, `{"a":[[[[[{}]]]]],`}),
		replaces(part, 1, "{", []string{"{\"a\":\"\xff\",", "{\"a\":\"\xed\xa0\x80\",", "{\"\x80\":1,", `{"a":"\ud800",`, `{"a":"\udc00\ud800",`, `{"\udfff":1,`}, utf8),
		replaces(part, 1, "{", []string{`{"a":1e400,`, `{"a":-1e999,`, `{"a":[1e999],`}, large),
		replaces(part, -1, `,"`, []string{"\n\t,\r\n \""}), replaces(part, -1, `":`, []string{`" : `}), replaces(part, -1, `"a`, []string{`"\u0061`}),
		[]edit{
			{part, "cut short", func(text string, t *token) string { return text[:t.place%len(text)] }, []*class{syntax}},
			{segment, "encoded twice", func(s string, _ *token) string { return encode(s) }, []*class{syntax}},
		}, forms(segment, []string{"{}A"}, after, respelled), respellings(segment))
}

func spellingEdits() []edit {
	noClaims := []*class{wrongIssuer, wrongAudience, noTokenType, noExpiry}
	edits := slices.Concat(
		jsonEdits("header", headerSyntax, headerSyntax, headerOther, headerSyntax), forms("header", []string{" {}", "{} ", "\n{}\r\n"}, headerSpace),
		jsonEdits("claims", claimsSyntax, trailing, notUTF8, largeNumber), forms("claims", []string{" {}", "{} ", "\n{}\r\n"}),
		forms("header", []string{"null", "{ }", `{"header":{}}`}, headerSyntax, noAlg, noKid),
		forms("claims", []string{"null"}, append(noClaims, claimsSyntax)...), forms("claims", []string{"{ }", `{"claims":{}}`, `{"":{}}`}, noClaims...))
	for _, depth := range []int{30, 600, 1500} {
		edits = append(edits, replaces("claims", 1, "{", []string{`{"a":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + ","})...)
	}
	person, service := build(false, 0, nil).signed, build(true, 0, nil).signed
	for _, most := range []struct {
		part string
		room int
	}{{"header", mostHeader - strings.Index(person, ".")}, {"claims", mostToken - len(person)}, {"claims", mostToken - len(service)}} {
		for _, more := range []int{0, 1, 2, 3, 4, 1000, 80_000} { // than there is room for, or nearly so
			edits = append(edits, replaces(most.part, 1, "{", []string{`{"fill":"` + strings.Repeat("x", most.room*3/4-len(`"fill":"",`)+more) + `",`})...)
		}
	}
	return edits
}

// respellings write a segment in another way, if there is one, that some decoders
// accept as the same.
func respellings(slot string) []edit {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_A"
	edits := []edit{
		{slot, "padded", func(s string, _ *token) string { return s + strings.Repeat("=", (4-len(s)%4)%4) }, []*class{respelled}},
		{slot, "in the standard alphabet", func(s string, _ *token) string { return strings.NewReplacer("-", "+", "_", "/").Replace(s) }, []*class{respelled}},
		{slot, "with other slack bits", func(s string, _ *token) string {
			if len(s)%4 < 2 {
				return s // each bit stands for something
			}
			return s[:len(s)-1] + string(digits[strings.IndexByte(digits, s[len(s)-1])+1])
		}, []*class{respelled}},
	}
	for _, inserted := range []string{"\n", "\r", "\r\n", "\n\n", "=", "===", " ", "\t", "\v", "\u00a0", "\x00", "!", "%41", "é", "\xff", "*", ","} {
		breaks := []*class{respelled}
		if strings.ContainsAny(inserted, "\r\n") {
			breaks = []*class{lineBreak}
		}
		edits = append(edits, edit{slot, fmt.Sprintf("with %q", inserted), func(s string, t *token) string {
			at := t.place % (len(s) + 1)
			return s[:at] + inserted + s[at:]
		}, breaks})
	}
	return edits
}

// editsAfterSigning change what the signature doesn't cover. A token has at most one.
func editsAfterSigning() []edit {
	edits := slices.Concat(
		forms("token", []string{""}, noToken), forms("token", []string{"{}\n", "\r\n{}", "{}\r", "{}" + strings.Repeat("\n", 100_000)}, lineBreak),
		forms("token", []string{" {}", "{} ", "\t{}", "{}" + strings.Repeat("=", 100), "{}" + strings.Repeat(" ", mostToken)}, respelled),
		forms("token", []string{"Bearer {}", "{};", quote("{}"), "{}, {}", "{}{}", "{}\x00", "CF_Authorization={}", "\ufeff{}", "{}.", ".{}"}, altered),
		forms("token", []string{"..", ".", "x", "{", "é", "[{}]", "{}.e30.e30", "{}" + strings.Repeat("A", mostToken), "{}" + strings.Repeat(".", mostToken)}, altered),
		replaces("token", 1, ".", []string{"", ",", ".."}, altered), replaces("token", -1, ".", []string{"", ","}, altered),
		[]edit{
			{"header sent", "with white space", func(_ string, t *token) string { return encode(t.header + " ") }, []*class{headerAround}},
			{"header sent", "with data after it", func(_ string, t *token) string { return encode(t.header + "x") }, []*class{headerAround}},
			{"claims sent", "with another", func(_ string, t *token) string { return encode(strings.Replace(t.claims, "{", `{"x":1,`, 1)) }, []*class{altered}},
		})
	for _, form := range []string{`{"payload":%q,"signatures":[{%s}]}`, `{"payload":%q,%s}`, `{"payload":%q,"header":{"kid":"x"},%s}`} { // RFC 7515 section 7.2
		edits = append(edits, edit{"token", form, func(text string, _ *token) string {
			s := strings.Split(text, ".")
			return fmt.Sprintf(form, s[1], fmt.Sprintf(`"protected":%q,"signature":%q`, s[0], s[2]))
		}, []*class{jsonForm}})
	}
	other := build(false, 0, append(sets("claims jti", quoted("other")), sets("header typ", quoted("other"))...))
	for _, slot := range []string{"header sent", "claims sent", "signature sent"} {
		edits = slices.Concat(edits, respellings(slot), forms(slot, append(strings.Split(other.signed, "."), "", "e30", "AAAA{}"), altered))
		alter := func(name string, apply func(s string, at int) string) {
			edits = append(edits, edit{slot, name, func(s string, t *token) string {
				if len(s) < 2 {
					return s
				}
				return apply(s, t.place%(len(s)-1)) // not at the last character, which may stand for nothing in part
			}, []*class{altered}})
		}
		alter("a bit flipped", func(s string, at int) string { return s[:at] + string([]byte{s[at] ^ 1<<(at%8)}) + s[at+1:] })
		alter("a character less", func(s string, at int) string { return s[:at] + s[at+1:] })
		alter("a character more", func(s string, at int) string { return s[:at] + "z" + s[at:] })
		alter("two swapped", func(s string, at int) string { return s[:at] + s[at+1:at+2] + s[at:at+1] + s[at+2:] })
		alter("in upper case", func(s string, _ int) string { return strings.ToUpper(s) })
		alter("in lower case", func(s string, _ int) string { return strings.ToLower(s) })
		alter("the rest lost", func(s string, at int) string { return s[:at] })
	}
	return edits
}
