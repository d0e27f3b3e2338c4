package accesstest

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
)

// tokenCookie is where a browser keeps its application token.
const tokenCookie = "CF_Authorization"

// An identity is what get-identity tells of a person.
type identity struct {
	ID                 string           `json:"id"`
	Name               string           `json:"name"`
	Email              string           `json:"email"`
	Groups             []string         `json:"groups"`
	Custom             map[string]any   `json:"custom"`
	OIDCFields         map[string]any   `json:"oidc_fields"`
	IdentityProvider   identityProvider `json:"idp"`
	Geography          geography        `json:"geo"`
	UserUUID           string           `json:"user_uuid"`
	AccountID          string           `json:"account_id"`
	IssuedAt           int64            `json:"iat"`
	IP                 string           `json:"ip"`
	AuthStatus         string           `json:"auth_status"`
	CommonName         string           `json:"common_name"`
	ServiceTokenID     string           `json:"service_token_id"`
	ServiceTokenStatus bool             `json:"service_token_status"`
	IsWARP             bool             `json:"is_warp"`
	IsGateway          bool             `json:"is_gateway"`
	GatewayAccountID   string           `json:"gateway_account_id"`
	DeviceID           string           `json:"device_id"`
	DevicePosture      map[string]any   `json:"devicePosture"`
	DeviceSessions     map[string]any   `json:"device_sessions"`
	Version            int              `json:"version"`
}

type identityProvider struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

type geography struct {
	Country string `json:"country"`
}

// SetGroups sets the groups that get-identity reports for a person, in place of
// those set before. Upper and lower case in email are the same. A person without
// groups, as everybody is at first, has an empty array.
func (t *Team) SetGroups(email string, groups ...string) {
	// A copy: the caller may change its slice. Never nil, which JSON calls null.
	own := append([]string{}, groups...)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.groups[strings.ToLower(email)] = own
}

// serveIdentity answers 200 for the token of a person, in the cookie
// CF_Authorization, and otherwise 400 with the reason in the member "err", as
// Access does.
func (t *Team) serveIdentity(w http.ResponseWriter, r *http.Request) {
	person, err := t.bearerOf(r)
	if err != nil {
		respond(w, http.StatusBadRequest, marshal("refusal", map[string]string{"err": err.Error()}))
		return
	}
	respond(w, http.StatusOK, marshal("identity", t.identityOf(person)))
}

// identityOf returns what the team knows of a person: the token's own claims and
// the groups; the rest is fixed, or depends on the team and the email.
func (t *Team) identityOf(person bearer) identity {
	name, _, _ := strings.Cut(person.Email, "@")
	account := sha256.Sum256([]byte(t.host))
	custom := person.Custom
	if custom == nil {
		custom = map[string]any{}
	}
	return identity{
		ID:               t.uuid("id", strings.ToLower(person.Email)),
		Name:             name,
		Email:            person.Email,
		Groups:           t.groupsOf(person.Email),
		Custom:           custom,
		OIDCFields:       map[string]any{},
		IdentityProvider: identityProvider{ID: t.uuid("idp", "onetimepin"), Type: "onetimepin"},
		Geography:        geography{Country: person.Country},
		UserUUID:         person.Subject,
		AccountID:        hex.EncodeToString(account[:16]),
		IssuedAt:         int64(person.IssuedAt),
		IP:               "192.0.2.1", // RFC 5737: for documentation
		AuthStatus:       "NONE",
		DevicePosture:    map[string]any{},
		DeviceSessions:   map[string]any{},
		Version:          2,
	}
}

func (t *Team) groupsOf(email string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if groups, ok := t.groups[strings.ToLower(email)]; ok {
		return groups
	}
	return []string{}
}

// serveLogout takes the browser's token away. The token itself stays valid until
// it expires, as it does with Access.
func (t *Team) serveLogout(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: tokenCookie, Path: "/", MaxAge: -1, HttpOnly: true})
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "You are signed out.\n") // an error means that the client has gone
}
