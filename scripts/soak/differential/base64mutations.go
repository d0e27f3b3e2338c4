package main

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// The spelling of a segment is changed before it is signed, so that the
// signature is good for it, and after.
var base64Mutations = []mutation{
	{"respelled, then signed", levelBase64, stageSegments, func(d *draft, r *rand.Rand) string {
		segment, name := d.segment(r)
		return respell(segment, r, name)
	}},
	{"signed, then respelled", levelBase64, stageToken, func(d *draft, r *rand.Rand) string {
		segments := strings.Split(d.token, ".")
		i := r.IntN(len(segments))
		what := respell(&segments[i], r, fmt.Sprintf("segment %d", i+1))
		d.token = strings.Join(segments, ".")
		return what
	}},
	{"signature respelled", levelBase64, stageToken, func(d *draft, r *rand.Rand) string {
		dot := strings.LastIndexByte(d.token, '.')
		segment := d.token[dot+1:]
		what := respell(&segment, r, "signature")
		d.token = d.token[:dot+1] + segment
		return what
	}},
}

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// respell writes a segment in another way, most of which decoders take for the
// same, or did once.
func respell(segment *string, r *rand.Rand, name string) string {
	s := *segment
	at := r.IntN(len(s) + 1)
	var what string
	switch r.IntN(9) {
	case 0:
		what, s = "padded", s+strings.Repeat("=", pick(r, (4-len(s)%4)%4, 1, 2, 3))
	case 1:
		what, s = "other slack bits", otherSlackBits(s, r)
	case 2:
		what, s = "standard alphabet", strings.NewReplacer("-", "+", "_", "/").Replace(s)
	case 3:
		what, s = "line break", s[:at]+pick(r, "\n", "\r", "\r\n", "\n\n")+s[at:]
	case 4:
		what, s = "white space", s[:at]+pick(r, " ", "\t", "\v", "\u00a0", "\x00")+s[at:]
	case 5:
		what, s = "not of the alphabet", s[:at]+pick(r, "!", "~", "%", "é", "\xff", "=", "+", "/", "*", ",")+s[at:]
	case 6:
		what, s = "one character more", s+string(base64url[r.IntN(64)])
	case 7:
		what, s = "percent-encoded", strings.Replace(s, string(base64url[r.IntN(64)]), fmt.Sprintf("%%%02X", base64url[r.IntN(64)]), 1)
	case 8:
		what = "encoded twice"
		s = base64.RawURLEncoding.EncodeToString([]byte(s))
	}
	if s == *segment {
		return ""
	}
	*segment = s
	return what + " in the " + name
}

// otherSlackBits changes the bits of the last character that stand for nothing.
func otherSlackBits(s string, r *rand.Rand) string {
	if s == "" {
		return s
	}
	last := strings.IndexByte(base64url, s[len(s)-1])
	var slack int
	switch len(s) % 4 {
	case 2:
		slack = 16
	case 3:
		slack = 4
	}
	if slack == 0 || last < 0 {
		return s
	}
	return s[:len(s)-1] + string(base64url[last-last%slack+(last+1+r.IntN(slack-1))%slack])
}
