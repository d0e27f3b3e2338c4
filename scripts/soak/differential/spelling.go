package main

import (
	"encoding/base64"
	"strings"
	"unicode"
)

// decodeSegment reads base64url as RFC 7515 section 2 has it: no padding, nothing
// outside the alphabet, and the bits that stand for nothing are zero. Every
// sequence of bytes has one spelling.
func decodeSegment(segment string) (decoded string, ok bool) {
	if len(segment)%4 == 1 {
		return "", false
	}
	b := make([]byte, 0, len(segment)*3/4)
	var bits, count uint
	for i := range len(segment) {
		digit := strings.IndexByte(base64url, segment[i])
		if digit < 0 {
			return "", false
		}
		bits, count = bits<<6|uint(digit), count+6
		if count >= 8 {
			count -= 8
			b = append(b, byte(bits>>count))
			bits &= 1<<count - 1
		}
	}
	return string(b), bits == 0
}

// decodeAnySpelling reads what lenient decoders read too, so that a token with
// another spelling can be judged by the other rules as well.
func decodeAnySpelling(segment string) (decoded string, ok bool) {
	segment = strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return -1
		case c == '+':
			return '-'
		case c == '/':
			return '_'
		}
		return c
	}, segment)
	segment = strings.TrimRight(segment, "=")
	if len(segment)%4 == 1 {
		segment = segment[:len(segment)-1] // six bits, which make no byte
	}
	b, err := base64.RawURLEncoding.DecodeString(segment)
	return string(b), err == nil
}
