package main

import (
	"math/rand/v2"
	"strings"
)

var jsonMutations = []mutation{
	{"trailing data", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		return text + pick(r, "}", "{}", "null", "x", ",", text, "\x00", "//", "]", "\"", ";", `{"exp":9999999999}`)
	})},
	{"leading data", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		return pick(r, "\ufeff", "\x00", "{", "[", ")]}',\n", "//\n", "null", "1", "\xff\xfe", "{}") + text
	})},
	{"white space", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		space := pick(r, " ", "\t", "\n", "\r\n", "  \n ", "\v", "\f", "\u00a0", "\u2028", "\x00")
		return pick(r, space+text, text+space, strings.Replace(text, ",", space+","+space, -1), strings.Replace(text, `":`, `"`+space+":"+space, -1))
	})},
	{"another syntax", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		member := func(m string) string { return strings.Replace(text, "{", "{"+m+",", 1) }
		once := func(old, instead string) string { return strings.Replace(text, old, instead, 1) }
		return pick(r, strings.ReplaceAll(text, `"`, "'"), once("}", ",}"), once("{", "{,"), once(",", ",,"), once(",", " "), once(":", "="),
			once(",", "/**/,"), once(`":`, `",`), strings.Replace(text, `"`, "", 2), member(`"a":NaN`), member(`"a":Infinity`), member(`"a":01`),
			member(`"a":tru`), member("1:2"), member("a:2"), member(`"a":.5`), member(`"a":1.`), member(`"a":-`), member(`"a":1e`), member(`"a":True`))
	})},
	{"cut short", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		return text[:r.IntN(len(text))]
	})},
	{"no object", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		return pick(r, "null", "[]", "[{}]", `"x"`, "1", "true", "{}", "", "["+text+"]", quote(text), "{}{}", " ")
	})},
	{"in another object", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		return pick(r, `{"claims":`+text+`}`, `{"":`+text+`}`, `{"iss":"`+issuer+`","x":`+text+`}`)
	})},
	{"invalid UTF-8", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		at := r.IntN(len(text) + 1)
		return text[:at] + pick(r, "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf5", "\xe2\x82", "\x80") + text[at:]
	})},
	{"string with a bad character", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		bad := pick(r, "\x00", "\n", "\x1f", "\x7f", `\x`, `\u12`, `\u12g4`, `\'`, `\ud800`,
			`\udc00\ud800`, `\u0000`, `\/`, `\b\f`, "\u2028", `\"`, `\U0041`)
		return strings.Replace(text, "{", `{"a":"`+bad+`",`, 1)
	})},
	{"deep nesting", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		depth := pick(r, 10, 100, 600, 1500, 4000)
		opening, closing := "[", "]"
		if r.IntN(2) == 0 {
			opening, closing = `{"a":`, "}"
			depth /= 5
		}
		nested := strings.Repeat(opening, depth) + "1" + strings.Repeat(closing, depth-r.IntN(30)/29)
		return strings.Replace(text, "{", `{"a":`+nested+`,`, 1)
	})},
	{"huge number", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		digits := strings.Repeat("9", 1+r.IntN(900))
		number := pick(r, digits, "-"+digits, "0."+digits, "1e"+digits, "1e-"+digits, digits+"e400")
		// The last object is custom, where there is one.
		at := 1 + pick(r, strings.IndexByte(text, '{'), strings.LastIndexByte(text, '{'))
		return text[:at] + `"a":` + number + "," + text[at:]
	})},
	{"byte changed in the text", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		at := r.IntN(len(text))
		return text[:at] + string([]byte{byte(r.Uint32())}) + text[at+1:]
	})},
	{"byte lost in the text", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		at := r.IntN(len(text))
		return text[:at] + text[at+1:]
	})},
	{"bytes added in the text", levelJSON, stageText, onText(func(text string, r *rand.Rand) string {
		at := r.IntN(len(text) + 1)
		return text[:at] + pick(r, `"`, "{", "}", "[", "]", ":", ",", `\`, "0", "-", "e", " ", "null", `\u0000`, `"x":1,`, "a") + text[at:]
	})},
}

// onText makes a mutation of the text of the header or of the claims.
func onText(edit func(text string, r *rand.Rand) string) func(*draft, *rand.Rand) string {
	return func(d *draft, r *rand.Rand) string {
		text, name := d.part(r)
		if *text == "" {
			return ""
		}
		edited := edit(*text, r)
		if edited == *text {
			return ""
		}
		*text = edited
		return "in the " + name
	}
}
