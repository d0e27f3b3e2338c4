package accesstest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
)

// tokenCookie is where a browser keeps its application token.
const tokenCookie = "CF_Authorization"

// SetGroups sets the groups that get-identity answers with for a person, by their
// names, in place of those set before. Upper and lower case in email are the
// same. A person without groups, as everybody is at first, has an empty array.
func (t *Team) SetGroups(email string, groups ...string) {
	if groups == nil {
		groups = []string{} // nil is null in JSON
	}
	t.SetIdentity(email, map[string]any{"groups": groups})
}

// SetIdentity sets members of the document that get-identity answers with for a
// person, over those that it has by itself and those set before. The values are
// those of encoding/json and may be of any type, such as groups that are objects,
// or another person's email; nil stands for null. They are read during the call.
//
// SetIdentity panics if a value has no JSON form.
func (t *Team) SetIdentity(email string, document map[string]any) {
	var own map[string]any // the caller may change document
	_ = json.Unmarshal(marshal("identity", document), &own)
	email = strings.ToLower(email)
	t.mu.Lock()
	defer t.mu.Unlock()
	members := maps.Clone(t.identities[email])
	if members == nil {
		members = make(map[string]any)
	}
	maps.Copy(members, own)
	t.identities[email] = members
}

// HandleIdentity calls handler for get-identity requests in the team's place: to
// answer with an error, slowly, or with half of the document. Nil has the team
// answer again.
func (t *Team) HandleIdentity(handler http.Handler) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.identityHandler = handler
}

// IdentityFetches returns how many get-identity requests the team has received so
// far, however they are answered.
func (t *Team) IdentityFetches() int {
	return int(t.identityFetches.Load())
}

// serveIdentity answers 200 for the token of a person, in the cookie
// CF_Authorization, and otherwise 400 with the reason in the member "err", as
// Access does.
func (t *Team) serveIdentity(w http.ResponseWriter, r *http.Request) {
	t.identityFetches.Add(1)
	t.mu.Lock()
	handler := t.identityHandler
	t.mu.Unlock()
	if handler != nil {
		handler.ServeHTTP(w, r)
		return
	}
	person, err := t.bearerOf(r)
	if err != nil {
		respond(w, http.StatusBadRequest, marshal("refusal", map[string]string{"err": err.Error()}))
		return
	}
	respond(w, http.StatusOK, marshal("identity", t.identityOf(person)))
}

// identityOf returns what the team knows of a person: the token's own claims and
// what SetGroups and SetIdentity have set; the rest is fixed, or depends on the
// team and the email.
func (t *Team) identityOf(person bearer) map[string]any {
	type object = map[string]any
	email := strings.ToLower(person.Email)
	name, _, _ := strings.Cut(person.Email, "@")
	account := sha256.Sum256([]byte(t.host))
	document := object{
		"id":                   t.uuid("id", email),
		"name":                 name,
		"email":                person.Email,
		"groups":               []string{},
		"custom":               object{},
		"oidc_fields":          object{},
		"idp":                  object{"id": t.uuid("idp", "onetimepin"), "type": "onetimepin"},
		"geo":                  object{"country": person.Country},
		"user_uuid":            person.Subject,
		"account_id":           hex.EncodeToString(account[:16]),
		"iat":                  int64(person.IssuedAt),
		"ip":                   "192.0.2.1", // RFC 5737: for documentation
		"auth_status":          "NONE",
		"common_name":          "",
		"service_token_id":     "",
		"service_token_status": false,
		"is_warp":              false,
		"is_gateway":           false,
		"gateway_account_id":   "",
		"device_id":            "",
		"devicePosture":        object{},
		"device_sessions":      object{},
		"version":              2,
	}
	if person.Custom != nil {
		document["custom"] = person.Custom
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.Copy(document, t.identities[email])
	return document
}

// serveLogout takes the browser's token away. The token itself stays valid until
// it expires, as it does with Access.
func (t *Team) serveLogout(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: tokenCookie, Path: "/", MaxAge: -1, HttpOnly: true})
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "You are signed out.\n") // an error means that the client has gone
}
