package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Identity is what Access knows about a person beyond the token, as of the last
// login or refresh of the session, whose requests share it: it is read-only, and
// safe for concurrent use. A field that Access doesn't send is zero.
type Identity struct {
	Email, Name, ID, UserUUID, AccountID, IP, DeviceID string
	IsWARP, IsGateway                                  bool

	IDP struct{ ID, Type string } // the identity provider
	Geo struct{ Country string }  // in two letters (ISO 3166-1)

	// Groups are those that the identity provider passed on. It may cut long lists.
	Groups []Group
	// DevicePosture has the results of the device's checks, by their ids.
	DevicePosture map[string]json.RawMessage
	// Custom has the OIDC claims (oidc_fields) and SAML attributes (custom).
	Custom map[string]any

	document *string // a pointer for the reason that Claims.token is one
}

// Group is a group of a person. Some identity providers give the name alone.
type Group struct{ ID, Name, Email string }

// Decode decodes the whole document into dst, as json.Unmarshal of encoding/json
// would: for members that have no field here. It fails if dst doesn't fit, or if
// the identity doesn't come from [Claims.Identity].
func (i *Identity) Decode(dst any) error {
	if i.document == nil {
		return errors.New("cfaccess: an identity without a document can't be decoded")
	}
	if err := json.Unmarshal([]byte(*i.document), dst); err != nil {
		return fmt.Errorf("cfaccess: decode identity: %w", err)
	}
	return nil
}

// Identity returns what Access knows about the person beyond the token, such as
// groups and device posture. It asks Access at most once per
// Config.IdentityTTL, keeps the answer in memory, and uses the last one for
// Config.IdentityMaxStale while Access can't be asked. It waits only if there is
// no answer yet, or one that is older than twice the TTL, and then FetchTimeout
// at most.
//
// The error matches ErrForbidden for a service token, which has no identity, and
// if Access refuses the token or answers for another person. It matches
// ErrPolicyUnavailable if Access can't be asked, if ctx ends first, and for
// claims that don't come from a [Verifier].
func (c *Claims) Identity(ctx context.Context) (*Identity, error) {
	switch {
	case c.verifier == nil:
		return nil, fmt.Errorf("%w: the claims don't come from a Verifier", ErrPolicyUnavailable)
	case c.IsService():
		return nil, fmt.Errorf("%w: a service token has no identity", ErrForbidden)
	}
	return c.verifier.identities.get(ctx, c)
}

// identityDocument is the answer of get-identity.
type identityDocument struct {
	Email     string                              `json:"email"`
	UserUUID  string                              `json:"user_uuid"`
	Groups    []group                             `json:"groups"`
	Name      lenient[string]                     `json:"name"`
	ID        lenient[string]                     `json:"id"`
	AccountID lenient[string]                     `json:"account_id"`
	IP        lenient[string]                     `json:"ip"`
	DeviceID  lenient[string]                     `json:"device_id"`
	IDP       lenient[map[string]string]          `json:"idp"`
	Geo       lenient[map[string]string]          `json:"geo"`
	IsWARP    lenient[bool]                       `json:"is_warp"`
	IsGateway lenient[bool]                       `json:"is_gateway"`
	Posture   lenient[map[string]json.RawMessage] `json:"devicePosture"`
	OIDC      lenient[map[string]any]             `json:"oidc_fields"`
	Custom    lenient[map[string]any]             `json:"custom"`
}

// group is a Group, or its name as a bare string.
type group Group

func (g *group) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '"' {
		return jsonv2.UnmarshalDecode(d, &g.Name)
	}
	var members map[string]lenient[string]
	err := jsonv2.UnmarshalDecode(d, &members)
	*g = group{members["id"].value, members["name"].value, members["email"].value}
	return err
}

// decodeIdentity reads the answer of get-identity for a person's token.
func decodeIdentity(body []byte, c *Claims) (*Identity, error) {
	var d identityDocument
	// Access cuts long names, also within a surrogate pair.
	if err := jsonv2.Unmarshal(body, &d, jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	i := &Identity{
		Email: d.Email, UserUUID: d.UserUUID,
		Name: d.Name.value, ID: d.ID.value, AccountID: d.AccountID.value, IP: d.IP.value, DeviceID: d.DeviceID.value,
		IsWARP: d.IsWARP.value, IsGateway: d.IsGateway.value, DevicePosture: d.Posture.value,
		Groups: make([]Group, len(d.Groups)), Custom: make(map[string]any), document: new(string(body)),
	}
	i.IDP.ID, i.IDP.Type, i.Geo.Country = d.IDP.value["id"], d.IDP.value["type"], d.Geo.value["country"]
	for n, g := range d.Groups {
		i.Groups[n] = Group(g)
	}
	maps.Copy(i.Custom, d.OIDC.value)
	maps.Copy(i.Custom, d.Custom.value)
	switch weight := i.weigh(); {
	case i.Email == "" && i.UserUUID == "":
		return nil, errors.New("identity: the document names nobody")
	case !i.isOf(c):
		return nil, fmt.Errorf("%w: Access answers with the identity of another person", ErrForbidden)
	case weight > maxIdentity:
		return nil, fmt.Errorf("identity: %d bytes in memory, at most %d", weight, maxIdentity)
	}
	return i, nil
}

// isOf reports whether the identity is that of the person in the claims.
func (i *Identity) isOf(c *Claims) bool {
	hasEmails, hasIDs := i.Email != "" && c.Email != "", i.UserUUID != "" && c.Subject != ""
	return (hasEmails || hasIDs) && (!hasEmails || fold(i.Email) == fold(c.Email)) && (!hasIDs || i.UserUUID == c.Subject)
}

// weigh returns about how many bytes the identity takes.
func (i *Identity) weigh() int {
	// The document twice: every string is a part of it.
	return 2*len(*i.document) + 64*len(i.Groups) + 128*len(i.DevicePosture) + weighValue(i.Custom)
}
