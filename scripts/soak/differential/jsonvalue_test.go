package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// The decoder is held against encoding/json here, and nowhere else.
func TestParseJSON(t *testing.T) {
	for _, text := range []string{
		`{}`, `[]`, `null`, ` true `, `false`, `0`, `-0`, `1.5e-3`, `1E+2`, `"x"`, `{"a":[1,{"b":null}],"c":"d"}`,
		`"\u0041\n\/\"\\"`, `"\ud83d\ude00"`,
		`"\ud800"`, `"\udc00\ud800"`, `"\ud800\u0041"`, `"\ud800\ud83d\ude00"`, "\"\xff\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\u2028\x7f\"", "\t\r\n[1 , 2]\n", `{"":{"":1}}`,
		`[[[[[[]]]]]]`, `1e400`, `123456789012345678901234567890`,
		``, ` `, `{`, `}`, `[`, `[1`, `[1,`, `[1,]`, `[,1]`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `{1:2}`, `{"a" 1}`,
		`'x'`, `"x`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\`,
		"\"\n\"", "\"\x00\"", `01`, `+1`, `.5`, `1.`, `1e`, `-`, `- 1`, `0x1`, `NaN`, `Infinity`, `tru`, `True`, `nul`,
		"\ufeff{}", "{}\x00", `{}{}`, `{} x`, `[1 2]`, "\v1", "\u00a01", `//`, `/**/1`,
		`"\U0041"`, `"\u+123"`, `"\u 123"`, strings.Repeat("[", 2000) + strings.Repeat("]", 2000), strings.Repeat("[", 2000) + strings.Repeat("]", 1999),
	} {
		v, rest, err := parseJSON(text)
		good := err == nil && rest == ""
		if want := json.Valid([]byte(text)); good != want {
			t.Errorf("%.40q: good %t, want %t", text, good, want)
			continue
		}
		var want any
		if good && json.Unmarshal([]byte(text), &want) == nil && !reflect.DeepEqual(plain(t, v), want) {
			t.Errorf("%.40q: %v, want %v", text, plain(t, v), want)
		}
	}
}

// plain is a value as encoding/json has it.
func plain(t *testing.T, v value) any {
	switch v.kind {
	case kindNull:
		return nil
	case kindBool:
		return v.text == "true"
	case kindString:
		return v.text
	case kindNumber:
		var n float64
		if err := json.Unmarshal([]byte(v.text), &n); err != nil {
			t.Fatal(err)
		}
		return n
	case kindArray:
		list := make([]any, 0)
		for _, item := range v.items {
			list = append(list, plain(t, item))
		}
		return list
	default:
		object := make(map[string]any)
		for i, name := range v.names {
			object[name] = plain(t, v.items[i])
		}
		return object
	}
}

func TestRepeatedMembers(t *testing.T) {
	v, rest, err := parseJSON(`{"a":1,"A":2,"\u0061":3} tail`)
	if err != nil || rest != "tail" {
		t.Fatalf("rest %q, error %v", rest, err)
	}
	if got := v.all("a"); len(got) != 2 || v.last("a").text != "3" || v.last("A").text != "2" || v.last("b").kind != kindNull {
		t.Errorf("got %v", v)
	}
}

func TestDecodeSegment(t *testing.T) {
	for name, test := range map[string]struct {
		segment  string
		want     string
		wantGood bool
		lenient  bool
	}{
		"empty":              {"", "", true, true},
		"one byte":           {"YQ", "a", true, true},
		"two bytes":          {"YWI", "ab", true, true},
		"three bytes":        {"YWJj", "abc", true, true},
		"whole alphabet":     {"-_-_", "\xfb\xff\xbf", true, true},
		"slack of four bits": {"YR", "a", false, true},
		"slack of two bits":  {"YWJ", "ab", false, true},
		"padded":             {"YQ==", "a", false, true},
		"standard alphabet":  {"+/+/", "\xfb\xff\xbf", false, true},
		"line break":         {"YW\nJj", "abc", false, true},
		"space":              {"YW Jj", "abc", false, true},
		"six bits more":      {"YWJjY", "abc", false, true},
		"not of it":          {"YW!j", "", false, false},
		"not ASCII":          {"YWJjé", "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, good := decodeSegment(test.segment)
			if good != test.wantGood || good && got != test.want {
				t.Errorf("strict: %q, %t", got, good)
			}
			got, good = decodeAnySpelling(test.segment)
			if good != test.lenient || good && got != test.want {
				t.Errorf("lenient: %q, %t", got, good)
			}
		})
	}
}
