package differential

import (
	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/scripts/peers"
)

// A class is a reason to refuse a token: a rule of cfaccess, which then returns one of
// errors, or a quirk, for which peers refuse and cfaccess doesn't. A quirk has no errors.
type class struct {
	name string
	// peers don't have the rule, or have the quirk. They may differ from cfaccess for it.
	peers  []string
	errors []error
}

var classes []*class // in the order of the report

func newClass(name string, peers []string, errors ...error) *class {
	classes = append(classes, &class{name, peers, errors})
	return classes[len(classes)-1]
}

var oidc, jwx, both = []string{peers.GoOIDC}, []string{peers.JWX}, []string{peers.GoOIDC, peers.JWX}

var (
	// The rules, each with the peers that don't have it.
	noToken        = newClass("empty", nil, core.ErrNoToken)
	tooLong        = newClass("over 8 KiB", both, core.ErrMalformed)
	headerTooLong  = newClass("header over 512 bytes", both, core.ErrMalformed)
	lineBreak      = newClass("line break", both, core.ErrMalformed)
	respelled      = newClass("another spelling of the same bytes", both, core.ErrMalformed)
	jsonForm       = newClass("JWS in JSON", oidc, core.ErrMalformed)
	altered        = newClass("changed after signing", nil, core.ErrMalformed, core.ErrSignature, core.ErrUnknownKey)
	headerAround   = newClass("data around the header that isn't signed", jwx, core.ErrMalformed, core.ErrSignature)
	headerSyntax   = newClass("header is no JSON object", nil, core.ErrMalformed)
	noAlg          = newClass("no alg", jwx, core.ErrMalformed)               // it goes by the alg of the key
	otherAlg       = newClass("alg other than RS256", jwx, core.ErrSignature) // the same
	noKid          = newClass("no kid", oidc, core.ErrMalformed)              // it tries every key
	crit           = newClass("crit", jwx, core.ErrMalformed)                 // it wants jws.WithCritValidation
	idleCrit       = newClass("crit that is empty, null or b64", both, core.ErrMalformed)
	unpublished    = newClass("key is not published", nil, core.ErrUnknownKey)
	unfitKey       = newClass("key is weak, or for another use", oidc, core.ErrUnknownKey) // it looks at kid alone
	smallExponent  = newClass("key with exponent 3", both, core.ErrUnknownKey)
	rs512Key       = newClass("RS512 with a key published for it", jwx, core.ErrUnknownKey, core.ErrSignature)
	forged         = newClass("signature is not genuine", nil, core.ErrSignature)
	otherKey       = newClass("signature by another published key", oidc, core.ErrSignature) // it tries every key where there is no kid
	claimsSyntax   = newClass("claims are no JSON object", nil, core.ErrMalformed)
	trailing       = newClass("data after the claims", jwx, core.ErrMalformed)
	notUTF8        = newClass("invalid UTF-8 in the claims", both, core.ErrMalformed)
	claimTwice     = newClass("claim twice", both, core.ErrMalformed)
	claimType      = newClass("registered claim of another type", nil, core.ErrMalformed)
	accessType     = newClass("Access claim of another type", both, core.ErrMalformed) // they don't read it
	badDate        = newClass("date in a string, or after the year 9999", both, core.ErrMalformed)
	wrongIssuer    = newClass("iss is not the team's", nil, core.ErrIssuer)
	issuerCase     = newClass("iss in another case", oidc, core.ErrIssuer) // encoding/json takes any case
	wrongAudience  = newClass("aud does not have ours", nil, core.ErrAudience)
	audienceCase   = newClass("aud in another case", oidc, core.ErrAudience)
	nullAudience   = newClass("null among the audiences", oidc, core.ErrMalformed)
	wrongTokenType = newClass("type other than app", both, core.ErrTokenType) // they don't know Access's types
	noTokenType    = newClass("person without type", both, core.ErrTokenType)
	noExpiry       = newClass("no exp", jwx, core.ErrMalformed) // it wants jwt.WithRequiredClaim
	expiryCase     = newClass("exp in another case", both, core.ErrMalformed)
	expired        = newClass("exp is over", nil, core.ErrExpired)
	early          = newClass("nbf is ahead", nil, core.ErrNotYetValid)
	slightlyEarly  = newClass("nbf is ahead by less than five minutes", oidc, core.ErrNotYetValid) // its leeway for nbf
	issuedAhead    = newClass("iat is ahead", oidc, core.ErrNotYetValid)                           // it doesn't look at iat

	// The quirks, each with the peers that refuse for it.
	headerTwice  = newClass("header field twice", oidc) // the last counts: RFC 7515 section 4
	headerOther  = newClass("header field that decides nothing, of another type", both)
	b64          = newClass("b64 without crit", both)             // RFC 7797 section 6: it counts only for those who know it
	headerSpace  = newClass("white space around the header", jwx) // it verifies the header without it
	withinLeeway = newClass("date within our leeway", both)
	negativeDate = newClass("date before 1970, or -0", jwx)
	nullDate     = newClass("null for a date", both)
	caseBeside   = newClass("claim beside one in another case", oidc)
	oidcClaim    = newClass("claim of OpenID Connect", oidc) // an Access token is no ID token
	claimOther   = newClass("claim that decides nothing, of another type", jwx)
	largeNumber  = newClass("number beyond float64", jwx)
)
