package main

import "crypto/rsa"

// readHeader judges the header and returns the key that it names, if that is
// published.
func (b *rulebook) readHeader(r *reading) *rsa.PublicKey {
	if r.header == nil {
		return nil
	}
	for _, name := range []string{"alg", "kid"} {
		for _, v := range r.header.all(name) {
			if v.kind != kindString && v.kind != kindNull {
				r.broken.add(ruleFieldType)
			}
		}
	}
	if len(r.header.all("crit")) > 0 {
		r.broken.add(ruleCrit)
	}
	if r.header.last("alg").text == "" {
		r.broken.add(ruleAlgGiven)
	}
	if alg := r.header.last("alg"); alg.text != "" && alg.text != "RS256" {
		r.broken.add(ruleAlg)
	}
	if kid := r.header.last("kid"); kid.kind != kindString || kid.text == "" {
		r.broken.add(ruleKid)
	}
	id := r.header.last("kid").text
	switch {
	case b.usable[id] != nil:
		return b.usable[id]
	case b.unfit[id] != nil:
		r.broken.add(ruleUsable)
		r.smallExponent = b.unfit[id].E == 3
		return b.unfit[id]
	case id != "":
		r.broken.add(rulePublished)
	}
	return nil
}
