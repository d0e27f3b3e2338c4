package core

import (
	"crypto/rsa"
	"testing"
)

// FuzzCerts looks for a document that stops the process, or that lets a key
// through which is not to be trusted.
func FuzzCerts(f *testing.F) {
	good := certsWith("kid", "good")
	for _, table := range []map[string]any{certsUnusable, certsUsable} {
		for _, key := range table {
			f.Add(certsDocument(key))
			f.Add(certsDocument(good, key))
			f.Add(certsDocument(key, good, key))
		}
	}
	for _, test := range certsBodies {
		f.Add([]byte(test.body))
	}
	f.Add(certsDocument(good, certsWith("kid", "good"), certsWith("", nil)))

	last, err := parseCerts(certsDocument(good), &keySet{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		for _, last := range []*keySet{{}, last} {
			set, err := parseCerts(document, last)
			if err != nil {
				if set != nil {
					t.Fatalf("keys together with error %v", err)
				}
				continue
			}
			checkCerts(t, set)
			again, err := parseCerts(document, set)
			if err != nil || len(again.keys) != len(set.keys) {
				t.Fatalf("the same document gives %d keys and error %v, then %d keys", len(again.keys), err, len(set.keys))
			}
			for id, key := range set.keys {
				if again.keys[id] != key {
					t.Fatalf("kid %q lost its identity, and so its remembered tokens", id)
				}
			}
		}
	})
}

// checkCerts checks what holds of every set.
func checkCerts(t *testing.T, set *keySet) {
	t.Helper()
	if len(set.keys) == 0 {
		t.Fatal("neither a key nor an error")
	}
	for id, jwk := range set.keys {
		key := jwk.Key().(*rsa.PublicKey)
		if id == "" {
			t.Fatal("a key without a kid")
		}
		if bits := key.N.BitLen(); bits < 2048 || bits > 8192 {
			t.Fatalf("kid %q has %d bits", id, bits)
		}
		if key.E < 65537 || key.E%2 == 0 {
			t.Fatalf("kid %q has exponent %d", id, key.E)
		}
	}
}
