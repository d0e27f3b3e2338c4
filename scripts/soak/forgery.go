package main

import (
	"slices"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A forgery is a way to make a request that has to be refused.
type forgery struct {
	name  string
	class error // why it is refused, where the key that it names is known
	// early ones are refused by their form alone, before a key is asked for.
	early bool
	// Either signed says how the team signs a token that Access never would, or
	// mutate what happens to a good one. other is somebody else's.
	signed []accesstest.Option
	mutate func(good, other string) string
	// carry returns the header lines; nil is one token header.
	carry func(forged, good string) []string
}

func (f *forgery) lines(forged, good string) []string {
	if f.carry == nil {
		return inHeader(forged)
	}
	return f.carry(forged, good)
}

// code is what the client is told.
func (f *forgery) code() string {
	switch f.class {
	case core.ErrExpired:
		return codeExpired
	case core.ErrNotYetValid:
		return codeNotYet
	default:
		return codeInvalid
	}
}

// with is a forgery that the team signs.
func with(name string, class error, options ...accesstest.Option) *forgery {
	return &forgery{name: name, class: class, signed: options}
}

// from is a forgery that is made of a good token.
func from(name string, class error, mutate func(good, other string) string) *forgery {
	return &forgery{name: name, class: class, mutate: mutate}
}

// before makes it one that is refused by its form.
func before(f *forgery) *forgery {
	f.early = true
	return f
}

// carried makes it one that is carried in another way.
func carried(f *forgery, carry func(forged, good string) []string) *forgery {
	f.carry = carry
	return f
}

const giantToken = 9 << 10 // over the 8 KiB of "Finding the token"

// newForgeries returns all kinds. Those in the future are so for any run.
func newForgeries() []*forgery {
	future := time.Now().Add(240 * time.Hour).Unix()
	return slices.Concat(headerForgeries(), claimForgeries(future), brokenForgeries(), carriedForgeries())
}

// headerForgeries lie about how they were signed, or with what.
func headerForgeries() []*forgery {
	jwk := map[string]string{"kty": "RSA", "e": "AQAB", "n": strings.Repeat("w", 342)}
	return []*forgery{
		with("stranger's signature", core.ErrSignature, accesstest.SignedByStranger()),
		with("stranger's signature, own jwk", core.ErrSignature, accesstest.SignedByStranger(), accesstest.WithHeader("jwk", jwk)),
		before(with("HS256 with the public key", core.ErrSignature, accesstest.SignedHS256())),
		with("HS256 that says RS256", core.ErrSignature, accesstest.SignedHS256(), accesstest.WithHeader("alg", "RS256")),
		before(with("alg none", core.ErrSignature, accesstest.Unsigned())),
		with("unsigned, says RS256", core.ErrSignature, accesstest.Unsigned(), accesstest.WithHeader("alg", "RS256")),
		before(with("RS512", core.ErrSignature, accesstest.WithHeader("alg", "RS512"))),
		before(with("no kid", core.ErrMalformed, accesstest.WithoutHeader("kid"))),
		before(with("empty kid", core.ErrMalformed, accesstest.WithHeader("kid", ""))),
		before(with("kid a number", core.ErrMalformed, accesstest.WithHeader("kid", 7))),
		before(from("kid in capitals", core.ErrMalformed, func(good, _ string) string {
			header, payload, signature := segments(good)
			return join(edit(header, `"kid"`, `"KID"`), payload, signature)
		})),
		before(with("crit", core.ErrMalformed, accesstest.WithHeader("crit", []string{"exp"}))),
	}
}

// claimForgeries have a genuine signature and claims that don't hold.
func claimForgeries(future int64) []*forgery {
	return []*forgery{
		with("org token", core.ErrTokenType, accesstest.WithClaim("type", "org")),
		with("another team's iss", core.ErrIssuer, accesstest.WithClaim("iss", "https://umbrella.cloudflareaccess.com")),
		with("iss with a slash", core.ErrIssuer, accesstest.WithClaim("iss", "https://"+teamName+".cloudflareaccess.com/")),
		with("no iss", core.ErrIssuer, accesstest.WithoutClaim("iss")),
		with("another application's aud", core.ErrAudience, accesstest.WithClaim("aud", []string{strings.Repeat("0", 64)})),
		with("no aud", core.ErrAudience, accesstest.WithoutClaim("aud")),
		with("aud a number", core.ErrMalformed, accesstest.WithClaim("aud", 7)),
		with("aud in two spellings", core.ErrAudience, accesstest.WithClaim("aud", "other"), accesstest.WithClaim("AUD", audience)),
		with("no exp", core.ErrMalformed, accesstest.WithoutClaim("exp")),
		with("exp a string", core.ErrMalformed, accesstest.WithClaim("exp", "4102444800")),
		with("EXP in place of exp", core.ErrMalformed, accesstest.WithoutClaim("exp"), accesstest.WithClaim("EXP", future)),
		with("exp in two spellings", core.ErrExpired, accesstest.WithClaim("exp", 1), accesstest.WithClaim("Exp", future)),
		with("expired long ago", core.ErrExpired, accesstest.WithClaim("exp", 1)),
		with("nbf in the future", core.ErrNotYetValid, accesstest.WithClaim("nbf", future)),
		with("iat in the future", core.ErrNotYetValid, accesstest.WithClaim("iat", future)),
	}
}

// brokenForgeries were good tokens once.
func brokenForgeries() []*forgery {
	return []*forgery{
		from("another byte in the header", core.ErrSignature, func(good, _ string) string {
			header, payload, signature := segments(good)
			return join(edit(header, `"JWT"`, `"JWU"`), payload, signature)
		}),
		from("another byte in the payload", core.ErrSignature, func(good, _ string) string {
			header, payload, signature := segments(good)
			return join(header, edit(payload, `"US"`, `"UZ"`), signature)
		}),
		from("another byte in the signature", core.ErrSignature, func(good, _ string) string {
			header, payload, signature := segments(good)
			return join(header, payload, flip(signature, len(signature)/2))
		}),
		from("last character in another spelling", core.ErrMalformed, func(good, _ string) string {
			header, payload, signature := segments(good)
			return join(header, payload, respell(signature))
		}),
		from("padding", core.ErrMalformed, func(good, _ string) string { return good + "==" }),
		before(from("line folded", core.ErrMalformed, func(good, _ string) string {
			return good[:40] + "\r\n " + good[40:]
		})),
		from("swapped payload", core.ErrSignature, func(good, other string) string {
			header, _, signature := segments(good)
			_, payload, _ := segments(other)
			return join(header, payload, signature)
		}),
		from("truncated signature", core.ErrSignature, func(good, _ string) string { return good[:len(good)-6] }),
		from("two segments", core.ErrMalformed, func(good, _ string) string {
			header, payload, _ := segments(good)
			return header + "." + payload
		}),
		from("three dots", core.ErrMalformed, func(good, _ string) string { return good + "." }),
		before(from("9 KB", core.ErrMalformed, func(good, _ string) string {
			return good + strings.Repeat("A", giantToken-len(good))
		})),
		before(from("9 KB of nothing", core.ErrMalformed, func(string, string) string { return strings.Repeat(".", giantToken) })),
		from("7 KB of almost JSON", core.ErrMalformed, func(good, _ string) string {
			header, _, signature := segments(good)
			return join(header, encode(`{"a":[`+strings.Repeat(`{"a":1},`, 640)), signature)
		}),
		before(from("Bearer in front", core.ErrMalformed, func(good, _ string) string { return "Bearer " + good })),
	}
}

// carriedForgeries are bad by where they are.
func carriedForgeries() []*forgery {
	same := func(good, _ string) string { return good }
	flipped := func(good, _ string) string {
		header, payload, signature := segments(good)
		return join(header, payload, flip(signature, 9))
	}
	return []*forgery{
		carried(before(from("two token headers", core.ErrMalformed, same)), func(forged, good string) []string {
			return append(inHeader(forged), inHeader(good)...)
		}),
		carried(before(from("empty header, good cookie", core.ErrMalformed, same)), func(forged, _ string) []string {
			return append(inHeader(""), inCookie(forged)...)
		}),
		carried(from("bad header, good cookie", core.ErrSignature, flipped), func(forged, good string) []string {
			return append(inHeader(forged), inCookie(good)...)
		}),
		carried(from("bad cookie", core.ErrSignature, flipped), func(forged, _ string) []string { return inCookie(forged) }),
		carried(from("good cookie after four bad ones", core.ErrSignature, flipped), func(forged, good string) []string {
			return inCookie(forged, forged, forged, forged, good)
		}),
	}
}
