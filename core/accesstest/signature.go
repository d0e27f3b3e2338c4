package accesstest

import (
	"crypto/hmac"
	"crypto/sha256"
)

// A signature is a way to sign, and what the header says of it.
type signature struct {
	algorithm string
	keyID     string
	sign      func(input []byte) []byte
}

// SignedByPreviousKey signs with the previous key, under its own kid. It does so
// after [Team.Withdraw] too: such a token has to be refused.
func SignedByPreviousKey() Option {
	return signedBy(func(t *Team) signature {
		previous := t.previousKey()
		return signature{"RS256", previous.id, previous.sign}
	})
}

// SignedByStranger signs with a key that the team never publishes, under the kid
// of the current key: a forgery. A team has one such key and generates it when
// it is first used.
func SignedByStranger() Option {
	return signedBy(func(t *Team) signature {
		return signature{"RS256", t.KeyID(), t.stranger().sign}
	})
}

// SignedHS256 signs with HMAC-SHA256, keyed with the PEM form of the current
// public key, under its kid. It is the classic algorithm confusion: a verifier
// that lets the token choose the algorithm takes it for genuine.
func SignedHS256() Option {
	return signedBy(func(t *Team) signature {
		current := t.currentKey()
		return signature{"HS256", current.id, func(input []byte) []byte {
			mac := hmac.New(sha256.New, current.public)
			mac.Write(input)
			return mac.Sum(nil)
		}}
	})
}

// Unsigned leaves the signature empty and says so: alg "none", with the kid of
// the current key.
func Unsigned() Option {
	return signedBy(func(t *Team) signature {
		return signature{"none", t.KeyID(), func([]byte) []byte { return nil }}
	})
}

func signedBy(choose func(*Team) signature) Option {
	return func(d *draft) { d.signature = choose }
}

func currentSignature(t *Team) signature {
	current := t.currentKey()
	return signature{"RS256", current.id, current.sign}
}
