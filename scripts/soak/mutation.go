package main

import (
	"encoding/base64"
	"strings"

	"github.com/cfaccess/cfaccess/core"
)

// The surgery on genuine tokens. What it is done to has three segments.

// segments returns the parts of a token.
func segments(raw string) (header, payload, signature string) {
	parts := strings.SplitN(raw, ".", 3)
	return parts[0], parts[1], parts[2]
}

func join(header, payload, signature string) string {
	return header + "." + payload + "." + signature
}

// edit replaces text in a decoded segment.
func edit(segment, old, replacement string) string {
	decoded, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return segment // the tests would find a token that isn't changed
	}
	return encode(strings.Replace(string(decoded), old, replacement, 1))
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// alphabet is that of base64url.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// flip changes one bit of the byte that the character at i begins.
func flip(segment string, i int) string {
	value := strings.IndexByte(alphabet, segment[i])
	return segment[:i] + string(alphabet[value^0x20]) + segment[i+1:]
}

// respell changes bits of the last character that are no part of the value: a
// signature of 256 bytes leaves four of them.
func respell(segment string) string {
	last := len(segment) - 1
	value := strings.IndexByte(alphabet, segment[last])
	return segment[:last] + string(alphabet[value^1])
}

// The ways in which a request carries a token, as header lines.

func inHeader(raw string) []string { return []string{core.TokenHeader + ": " + raw} }

func inCookie(raws ...string) []string {
	line := "Cookie: theme=dark"
	for _, raw := range raws {
		line += "; " + core.TokenCookie + "=" + raw
	}
	return []string{line}
}
