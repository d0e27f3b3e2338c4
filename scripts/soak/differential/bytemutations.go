package main

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
)

var byteMutations = []mutation{
	{"bit flipped", levelBytes, stageToken, onToken(func(t string, r *rand.Rand) string {
		at := r.IntN(len(t))
		return t[:at] + string([]byte{t[at] ^ 1<<r.IntN(8)}) + t[at+1:]
	})},
	{"character changed", levelBytes, stageToken, onToken(func(t string, r *rand.Rand) string {
		at := r.IntN(len(t))
		return t[:at] + string(base64url[r.IntN(64)]) + t[at+1:]
	})},
	{"character lost", levelBytes, stageToken, onToken(func(t string, r *rand.Rand) string {
		at := r.IntN(len(t))
		return t[:at] + t[at+1:]
	})},
	{"character added", levelBytes, stageToken, onToken(func(t string, r *rand.Rand) string {
		at := r.IntN(len(t) + 1)
		return t[:at] + pick(r, string(base64url[r.IntN(64)]), ".", "\x00", " ", "\n", "é", "=", "\"") + t[at:]
	})},
	{"characters swapped", levelBytes, stageToken, onToken(func(t string, r *rand.Rand) string {
		b := []byte(t)
		i, j := r.IntN(len(b)), r.IntN(len(b))
		b[i], b[j] = b[j], b[i]
		return string(b)
	})},
	{"cut short", levelBytes, stageToken, onToken(func(t string, r *rand.Rand) string {
		return t[:len(t)-1-r.IntN(min(len(t), pick(r, 1, 4, len(t))))]
	})},
	{"case changed", levelBytes, stageToken, onToken(func(t string, r *rand.Rand) string {
		return pick(r, strings.ToUpper(t), strings.ToLower(t))
	})},
	{"wrapped", levelBytes, stageToken, onToken(func(t string, r *rand.Rand) string {
		return pick(r, "Bearer "+t, t+";", `"`+t+`"`, t+", "+t, t+t, " "+t, t+" ", t+"\n", "\r\n"+t, "\t"+t, t+"\x00", "CF_Authorization="+t, "\ufeff"+t)
	})},
	{"dots", levelBytes, stageToken, onToken(func(t string, r *rand.Rand) string {
		return pick(r, t+".", "."+t, strings.Replace(t, ".", "..", 1), strings.Replace(t, ".", "", 1), t+".e30.e30",
			strings.ReplaceAll(t, ".", ""), strings.ReplaceAll(t, ".", ","), "..", ".", "")
	})},
	{"other segments", levelBytes, stageToken, func(d *draft, r *rand.Rand) string {
		mine, theirs := strings.Split(d.token, "."), strings.Split(d.donor, ".")
		if len(mine) != 3 {
			return ""
		}
		i := r.IntN(3)
		mine[i] = pick(r, theirs[i], theirs[i], mine[r.IntN(3)], "", "e30")
		return exchange(d, strings.Join(mine, "."), fmt.Sprintf("segment %d", i+1))
	}},
	{"segments in another order", levelBytes, stageToken, onToken(func(t string, r *rand.Rand) string {
		segments := strings.Split(t, ".")
		r.Shuffle(len(segments), func(i, j int) { segments[i], segments[j] = segments[j], segments[i] })
		return strings.Join(segments, ".")
	})},
	{"other signature", levelBytes, stageToken, func(d *draft, r *rand.Rand) string {
		dot := strings.LastIndexByte(d.token, '.')
		signature, err := base64.RawURLEncoding.DecodeString(d.token[dot+1:])
		if err != nil || dot < 0 {
			return ""
		}
		// The same number for RSA, which must be less than the modulus
		// (RFC 8017 section 5.2.2).
		more := new(big.Int).Add(new(big.Int).SetBytes(signature), d.signing.key.private.N)
		signature = pick(r, append([]byte{0}, signature...), more.Bytes(), make([]byte, len(signature)), nil, randomBytes(r, len(signature)),
			append(signature, 0), signature[:len(signature)*3/4], []byte{1}, d.signing.key.private.N.Bytes())
		return exchange(d, d.token[:dot+1]+base64.RawURLEncoding.EncodeToString(signature), fmt.Sprintf("%d bytes", len(signature)))
	}},
	{"other claims under the signature", levelBytes, stageToken, func(d *draft, r *rand.Rand) string {
		segments := strings.Split(d.token, ".")
		if len(segments) != 3 {
			return ""
		}
		claims := append(object{}, d.claims...)
		claims.set("email", quote(fmt.Sprintf("root%d@example.com", r.IntN(1000))))
		segments[1] = base64.RawURLEncoding.EncodeToString([]byte(claims.String()))
		return exchange(d, strings.Join(segments, "."), "another email")
	}},
	{"JSON serialization", levelBytes, stageToken, onToken(func(t string, r *rand.Rand) string {
		segments := strings.Split(t, ".")
		if len(segments) != 3 {
			return t
		}
		one := fmt.Sprintf(`"protected":%s,"signature":%s`, quote(segments[0]), quote(segments[2]))
		// RFC 7515 section 7.2, general and flattened.
		return fmt.Sprintf(pick(r, `{"payload":%s,"signatures":[{%s}]}`, `{"payload":%s,%s}`,
			`{"payload":%s,"header":{"kid":"x"},%s}`), quote(segments[1]), one)
	})},
	{"of a great size", levelBytes, stageToken, onToken(func(t string, r *rand.Rand) string {
		return t + strings.Repeat(pick(r, "A", ".", "=", " ", "\n"), pick(r, 100, 8192-len(t)%8192, 8193, 100_000))
	})},
}

// onToken makes a mutation of the finished token.
func onToken(edit func(token string, r *rand.Rand) string) func(*draft, *rand.Rand) string {
	return func(d *draft, r *rand.Rand) string {
		if d.token == "" {
			return ""
		}
		return exchange(d, edit(d.token, r), fmt.Sprintf("of %d bytes", len(d.token)))
	}
}

// exchange puts another token in the place of the draft's.
func exchange(d *draft, token, what string) string {
	if token == d.token {
		return ""
	}
	d.token = token
	return what
}
