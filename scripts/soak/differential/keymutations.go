package main

import "math/rand/v2"

var keyMutations = []mutation{
	{"previous key", levelKeys, stageMembers, func(d *draft, _ *rand.Rand) string {
		return signWith(d, d.keys.previous, rs256)
	}},
	{"withdrawn key", levelKeys, stageMembers, func(d *draft, _ *rand.Rand) string {
		return signWith(d, d.keys.withdrawn, rs256)
	}},
	{"stranger's key", levelKeys, stageMembers, func(d *draft, r *rand.Rand) string {
		signWith(d, d.keys.stranger, rs256)
		return disguise(d, pick(r, d.keys.stranger, d.keys.current, d.keys.previous))
	}},
	{"other team's key", levelKeys, stageMembers, func(d *draft, r *rand.Rand) string {
		if r.IntN(2) == 0 {
			d.claims.set("iss", `"https://evil.cloudflareaccess.com"`)
		}
		return signWith(d, d.keys.otherTeam, rs256)
	}},
	{"other published key", levelKeys, stageMembers, func(d *draft, r *rand.Rand) string {
		// The kid of one good key, the signature of the other.
		if d.signing.key.id == d.keys.previous.id {
			return disguise(d, d.keys.current)
		}
		return disguise(d, pick(r, d.keys.previous, d.keys.weak, d.keys.smallExponent))
	}},
	{"key not to be used", levelKeys, stageMembers, func(d *draft, r *rand.Rand) string {
		return signWith(d, pick(r, d.keys.weak, d.keys.smallExponent, d.keys.encryption, d.keys.otherAlg), rs256)
	}},
	{"public key as a secret", levelKeys, stageMembers, func(d *draft, r *rand.Rand) string {
		d.signing.method = hs256(pick(r, publicPEM, publicDER, publicPKCS1, modulus))
		return declare(d, r, "HS256")
	}},
	{"no signature", levelKeys, stageMembers, func(d *draft, r *rand.Rand) string {
		d.signing.method = unsigned
		return declare(d, r, pick(r, "none", "None", "NONE", ""))
	}},
	{"other algorithm", levelKeys, stageMembers, func(d *draft, r *rand.Rand) string {
		other := pick(r, otherAlgorithms...)
		d.signing.method = other.method
		return declare(d, r, other.name)
	}},
}

// otherAlgorithms are how else a token can be signed. The last two say RS256.
var otherAlgorithms = []struct {
	name   string
	method method
}{
	{"RS384", rs384}, {"RS512", rs512}, {"PS256", ps256}, {"ES256", es256}, {"RS256", rs1}, {"RS256", bare},
}

// signWith signs with the key and says so in the header.
func signWith(d *draft, k key, m method) string {
	d.signing = signing{k, m}
	d.header.set("kid", quote(k.id))
	return "kid " + k.id[:8]
}

// disguise names a key that doesn't sign.
func disguise(d *draft, as key) string {
	d.header.set("kid", quote(as.id))
	return "as kid " + as.id[:8]
}

// declare names the algorithm in the header, or leaves RS256 there.
func declare(d *draft, r *rand.Rand, alg string) string {
	if r.IntN(3) == 0 {
		return alg + " as RS256"
	}
	d.header.set("alg", quote(alg))
	return alg + " declared"
}
