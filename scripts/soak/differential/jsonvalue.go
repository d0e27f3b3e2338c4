package main

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A value is JSON as the rules read it. The decoder is our own: encoding/json
// is what the verifiers have in common.
type value struct {
	kind  byte   // one of the kinds below
	text  string // of a string, decoded, or of a number as it stands
	names []string
	items []value // of an array, or of an object under the names
}

const (
	kindNull   = 'n'
	kindBool   = 'b'
	kindNumber = '0'
	kindString = '"'
	kindArray  = '['
	kindObject = '{'
)

// all returns every member of that name, in order. Names are compared exactly
// (RFC 7519 section 4).
func (v *value) all(name string) []value {
	var found []value
	if v == nil {
		return nil
	}
	for i, n := range v.names {
		if n == name {
			found = append(found, v.items[i])
		}
	}
	return found
}

// last returns the last member of that name, which is the one that counts
// (RFC 7519 section 4), or null if there is none.
func (v *value) last(name string) value {
	if found := v.all(name); len(found) > 0 {
		return found[len(found)-1]
	}
	return value{kind: kindNull}
}

// overflows reports whether v has a number that no float64 can hold. A reader may
// refuse such a one (RFC 8259 section 6).
func (v *value) overflows() bool {
	if v.kind == kindNumber {
		_, err := strconv.ParseFloat(v.text, 64)
		return err != nil
	}
	for i := range v.items {
		if v.items[i].overflows() {
			return true
		}
	}
	return false
}

var errJSON = errors.New("not JSON")

// parseJSON reads a value as RFC 8259 has it, and returns what comes after it.
// What isn't UTF-8 in a string is read as U+FFFD, as is half of a surrogate pair.
func parseJSON(text string) (v value, rest string, err error) {
	p := &jsonReader{rest: text}
	v = p.value()
	p.space()
	if p.failed {
		return value{}, "", errJSON
	}
	return v, p.rest, nil
}

// A jsonReader reads what is left of a text. After a failure nothing is left.
type jsonReader struct {
	rest   string
	failed bool
}

func (p *jsonReader) fail() value {
	p.rest, p.failed = "", true
	return value{}
}

func (p *jsonReader) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// take reads one character if it is next.
func (p *jsonReader) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *jsonReader) value() value {
	p.space()
	for _, word := range []string{"null", "true", "false"} {
		if strings.HasPrefix(p.rest, word) {
			p.rest = p.rest[len(word):]
			if word == "null" {
				return value{kind: kindNull}
			}
			return value{kind: kindBool, text: word}
		}
	}
	switch {
	case p.take('"'):
		return p.string()
	case p.take('['):
		return p.list(kindArray, ']')
	case p.take('{'):
		return p.list(kindObject, '}')
	default:
		return p.number()
	}
}

// list reads an array or an object after its opening bracket.
func (p *jsonReader) list(kind, closing byte) value {
	v := value{kind: kind}
	p.space()
	if p.take(closing) {
		return v
	}
	for !p.failed {
		if kind == kindObject {
			p.space()
			if !p.take('"') {
				return p.fail()
			}
			v.names = append(v.names, p.string().text)
			p.space()
			if !p.take(':') {
				return p.fail()
			}
		}
		v.items = append(v.items, p.value())
		p.space()
		if p.take(closing) {
			return v
		}
		if !p.take(',') {
			return p.fail()
		}
	}
	return p.fail()
}

// number reads -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
func (p *jsonReader) number() value {
	text := p.rest
	p.take('-')
	if !p.take('0') && p.digits() == 0 {
		return p.fail()
	}
	if p.take('.') && p.digits() == 0 {
		return p.fail()
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if p.digits() == 0 {
			return p.fail()
		}
	}
	return value{kind: kindNumber, text: text[:len(text)-len(p.rest)]}
}

func (p *jsonReader) digits() int {
	before := len(p.rest)
	p.rest = strings.TrimLeft(p.rest, "0123456789")
	return before - len(p.rest)
}

// string reads a string after its opening quotation mark.
func (p *jsonReader) string() value {
	var b strings.Builder
	for p.rest != "" {
		c := p.rest[0]
		switch {
		case c == '"':
			p.rest = p.rest[1:]
			return value{kind: kindString, text: b.String()}
		case c == '\\':
			p.rest = p.rest[1:]
			b.WriteRune(p.escape())
		case c < 0x20:
			return p.fail()
		default:
			r, size := utf8.DecodeRuneInString(p.rest) // U+FFFD and 1 if it isn't UTF-8
			b.WriteRune(r)
			p.rest = p.rest[size:]
		}
	}
	return p.fail()
}

// escape reads what follows a backslash.
func (p *jsonReader) escape() rune {
	if p.rest == "" {
		p.fail()
		return 0
	}
	c := p.rest[0]
	p.rest = p.rest[1:]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i])
	}
	if c != 'u' {
		p.fail()
		return 0
	}
	first := p.hex()
	if !utf16.IsSurrogate(first) {
		return first
	}
	// Half of a pair leaves what follows it alone.
	if behind := *p; behind.take('\\') && behind.take('u') {
		if r := utf16.DecodeRune(first, behind.hex()); r != utf8.RuneError {
			*p = behind
			return r
		}
	}
	return utf8.RuneError
}

// hex reads four hexadecimal digits.
func (p *jsonReader) hex() rune {
	if len(p.rest) < 4 || strings.Trim(p.rest[:4], "0123456789abcdefABCDEF") != "" {
		p.fail()
		return 0
	}
	n, err := strconv.ParseUint(p.rest[:4], 16, 16)
	if err != nil {
		p.fail()
		return 0
	}
	p.rest = p.rest[4:]
	return rune(n)
}
