package accesstest_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// identify asks get-identity with this token.
func identify(t *testing.T, team *accesstest.Team, token string) (status int, members map[string]any) {
	t.Helper()
	response := call(team, http.MethodGet, identityPath, &http.Cookie{Name: "CF_Authorization", Value: token})
	if got, want := response.Header().Get("Content-Type"), "application/json"; got != want {
		t.Errorf("Content-Type is %q, want %q", got, want)
	}
	if err := json.Unmarshal(response.Body.Bytes(), &members); err != nil {
		t.Fatalf("%v: %s", err, response.Body)
	}
	return response.Code, members
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	team := sharedTeam()
	token := team.SignUser(aud, email, accesstest.WithClaim("country", "DE"))
	status, got := identify(t, team, token)
	if status != http.StatusOK {
		t.Fatalf("status is %d, want 200: %v", status, got)
	}
	wantNames := []string{
		"account_id", "auth_status", "common_name", "custom", "devicePosture", "device_id", "device_sessions", "email",
		"gateway_account_id", "geo", "groups", "iat", "id", "idp", "ip", "is_gateway", "is_warp", "name", "oidc_fields",
		"service_token_id", "service_token_status", "user_uuid", "version",
	}
	if gotNames := names(got); !slices.Equal(gotNames, wantNames) {
		t.Errorf("members are %q, want %q", gotNames, wantNames)
	}
	claims := parse(t, token).claims
	issued, err := claims["iat"].(json.Number).Float64()
	if err != nil {
		t.Fatal(err)
	}
	empty := map[string]any{}
	for name, want := range map[string]any{
		"email": email, "name": "ada", "user_uuid": claims["sub"], "iat": issued,
		"geo": map[string]any{"country": "DE"}, "groups": []any{}, "version": 2.0,
		"common_name": "", "service_token_id": "", "service_token_status": false,
		"is_warp": false, "is_gateway": false, "device_id": "", "gateway_account_id": "",
		"devicePosture": empty, "device_sessions": empty, "oidc_fields": empty, "custom": empty,
		"ip": "192.0.2.1", "auth_status": "NONE",
	} {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if provider := got["idp"].(map[string]any); provider["type"] != "onetimepin" || len(provider["id"].(string)) != 36 {
		t.Errorf("idp is %v", provider)
	}
	if account := got["account_id"].(string); len(account) != 32 {
		t.Errorf("account_id is %q, want 32 hex digits", account)
	}
}

func TestIdentityCustom(t *testing.T) {
	t.Parallel()
	team := sharedTeam()
	want := map[string]any{"department": "engines"}
	_, got := identify(t, team, team.SignUser(aud, email, accesstest.WithClaim("custom", want)))
	if !reflect.DeepEqual(got["custom"], want) {
		t.Errorf("custom is %v, want %v", got["custom"], want)
	}
}

func TestSetGroups(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	groups := func(email string) any {
		_, members := identify(t, team, team.SignUser(aud, email))
		return members["groups"]
	}
	expect := func(step, email string, want ...any) {
		t.Helper()
		if got := groups(email); !reflect.DeepEqual(got, append([]any{}, want...)) {
			t.Errorf("%s: groups are %v, want %v", step, got, want)
		}
	}
	given := []string{"admins", "ops"}
	team.SetGroups(email, given...)
	given[0] = "changed"
	expect("set", email, "admins", "ops")
	expect("in upper case", strings.ToUpper(email), "admins", "ops")
	expect("somebody else", "bob@example.com")
	team.SetGroups("Ada@Example.com", "readers")
	expect("set again", email, "readers")
	team.SetGroups(email)
	expect("taken away", email)
}

func TestSetIdentity(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	token := team.SignUser(aud, email)
	team.SetGroups(email, "engineering")
	team.SetIdentity(strings.ToUpper(email), map[string]any{"name": "Ada", "is_warp": true, "idp": nil})
	_, got := identify(t, team, token)
	for name, want := range map[string]any{
		"name": "Ada", "is_warp": true, "idp": nil, "groups": []any{"engineering"}, "email": email,
	} {
		if value, ok := got[name]; !ok || !reflect.DeepEqual(value, want) {
			t.Errorf("%s is %v, want %v", name, value, want)
		}
	}
	given := []any{map[string]string{"id": "1", "name": "ops"}, "dev"}
	team.SetIdentity(email, map[string]any{"email": "eve@example.com", "groups": given})
	given[1] = "changed"
	_, got = identify(t, team, token)
	if groups := []any{map[string]any{"id": "1", "name": "ops"}, "dev"}; got["email"] != "eve@example.com" || !reflect.DeepEqual(got["groups"], groups) || got["name"] != "Ada" {
		t.Errorf("got %v", got)
	}
	if _, other := identify(t, team, team.SignUser(aud, "bob@example.com")); other["name"] != "bob" {
		t.Errorf("another person has %v", other)
	}
	if panicOf(func() { team.SetIdentity(email, map[string]any{"name": func() {}}) }) == nil {
		t.Error("a value without a JSON form: no panic")
	}
}

func TestHandleIdentity(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	cookie := &http.Cookie{Name: "CF_Authorization", Value: team.SignUser(aud, email)}
	team.HandleIdentity(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	if got := call(team, http.MethodGet, identityPath, cookie); got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") != "30" {
		t.Errorf("got %d, %v", got.Code, got.Header())
	}
	team.HandleIdentity(nil)
	if got := call(team, http.MethodGet, identityPath, cookie); got.Code != http.StatusOK {
		t.Errorf("after nil: got %d", got.Code)
	}
	call(team, http.MethodGet, identityPath)
	if got := team.IdentityFetches(); got != 3 {
		t.Errorf("IdentityFetches is %d, want 3", got)
	}
}

func TestIdentityRefusals(t *testing.T) {
	t.Parallel()
	team, other := sharedTeam(), accesstest.NewTeam("umbrella")
	defer other.Close()
	good := team.SignUser(aud, email)
	sign := func(options ...accesstest.Option) string { return team.SignUser(aud, email, options...) }
	expired := accesstest.WithExpiry(time.Now().Add(-time.Hour))
	for name, test := range map[string]struct{ token, want string }{
		"a service token":      {team.SignService(aud, clientID), "not the token of a person"},
		"expired":              {sign(expired), "expired token"},
		"without exp":          {sign(accesstest.WithoutClaim("exp")), "expired token"},
		"another type of exp":  {sign(accesstest.WithClaim("exp", "soon")), "malformed token"},
		"another issuer":       {sign(accesstest.WithClaim("iss", other.Issuer())), "token of another team"},
		"another team":         {other.SignUser(aud, email), "invalid signature"},
		"a stranger's":         {sign(accesstest.SignedByStranger()), "invalid signature"},
		"an unknown kid":       {sign(accesstest.WithHeader("kid", "x")), "invalid signature"},
		"without kid":          {sign(accesstest.WithoutHeader("kid")), "invalid signature"},
		"HS256":                {sign(accesstest.SignedHS256()), "unexpected algorithm"},
		"unsigned":             {sign(accesstest.Unsigned()), "unexpected algorithm"},
		"unsigned, says RS256": {sign(accesstest.Unsigned(), accesstest.WithHeader("alg", "RS256")), "invalid signature"},
		"empty":                {"", "malformed token"},
		"two parts":            {good[:strings.LastIndexByte(good, '.')], "malformed token"},
		"four parts":           {good + ".", "malformed token"},
		"not base64url":        {good + "=", "malformed token"},
		"not JSON":             {"bm90.bm90.bm90", "malformed token"},
	} {
		t.Run(name, func(t *testing.T) {
			status, members := identify(t, team, test.token)
			if want := (map[string]any{"err": test.want}); status != http.StatusBadRequest || !reflect.DeepEqual(members, want) {
				t.Errorf("status %d, body %v, want 400 and %v", status, members, want)
			}
		})
	}
	t.Run("no cookie", func(t *testing.T) {
		response := call(team, http.MethodGet, identityPath)
		if want := `{"err":"no app token set"}`; response.Code != http.StatusBadRequest || response.Body.String() != want {
			t.Errorf("status %d, body %s, want 400 and %s", response.Code, response.Body, want)
		}
	})
}

func TestIdentityFollowsTheKeys(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	token := team.SignUser(aud, email)
	for _, step := range []struct {
		name string
		do   func()
		want int
	}{
		{"at first", func() {}, http.StatusOK},
		{"rotated", team.Rotate, http.StatusOK},
		{"withdrawn", team.Withdraw, http.StatusBadRequest},
	} {
		step.do()
		if status, members := identify(t, team, token); status != step.want {
			t.Errorf("%s: status is %d, want %d: %v", step.name, status, step.want, members)
		}
	}
}

func TestIdentityExpires(t *testing.T) {
	t.Parallel()
	team := sharedTeam()
	synctest.Test(t, func(t *testing.T) {
		token := team.SignUser(aud, email)
		for _, step := range []struct {
			wait time.Duration
			want int
		}{
			{24*time.Hour - time.Second, http.StatusOK},
			{time.Second, http.StatusBadRequest},
			{time.Second, http.StatusBadRequest},
		} {
			time.Sleep(step.wait)
			if status, _ := identify(t, team, token); status != step.want {
				t.Errorf("after another %v: status is %d, want %d", step.wait, status, step.want)
			}
		}
	})
}

func TestLogout(t *testing.T) {
	t.Parallel()
	team := sharedTeam()
	response := call(team, http.MethodGet, logoutPath)
	if response.Code != http.StatusOK || response.Body.String() != "You are signed out.\n" {
		t.Errorf("status %d, body %q", response.Code, response.Body)
	}
	cookies := response.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies are set, want 1", len(cookies))
	}
	cookie := cookies[0]
	if cookie.Name != "CF_Authorization" || cookie.Value != "" || cookie.Path != "/" || cookie.MaxAge >= 0 || !cookie.HttpOnly {
		t.Errorf("the cookie is %v", cookie)
	}
}
