package conformance_test

import "maps"

// A flaw is a way in which an adapter can be broken.
type flaw struct {
	fails  []string // the subtests made for it
	breaks func(a *adapter)
}

// flaws returns all of them by name.
func flaws() map[string]flaw {
	all := map[string]flaw{}
	for _, some := range []map[string]flaw{refusalFlaws(), requestFlaws(), ruleFlaws(), handlerFlaws(), crowdFlaws()} {
		maps.Copy(all, some)
	}
	return all
}
