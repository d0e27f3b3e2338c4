package main

import "slices"

// nullAfterValue is the one way in which ours is known to differ from the rules.
var nullAfterValue = class{
	name: "null after a value",
	when: func(o *outcome, _ string) bool {
		return nullAgain(o.reading.claims, "iss", "aud", "exp", "nbf", "iat", "type")
	},
	why: "of a repeated claim the last one counts (RFC 7519 section 4), and null is no value; " +
		"encoding/json keeps the value before, and in a list what was at that place",
}

// nullAgain reports whether a claim of these names comes again as null, or as a
// list with null in it.
func nullAgain(claims *value, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		all := claims.all(name)
		return len(all) > 1 && slices.ContainsFunc(all[1:], func(v value) bool { return isNull(v) || slices.ContainsFunc(v.items, isNull) })
	})
}
