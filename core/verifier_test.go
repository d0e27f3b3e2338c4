package core_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

const (
	testAudience  = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"
	otherAudience = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
)

// sentinels are all classes of error.
var sentinels = map[string]error{
	"ErrNoToken": core.ErrNoToken, "ErrMalformed": core.ErrMalformed, "ErrUnknownKey": core.ErrUnknownKey,
	"ErrSignature": core.ErrSignature, "ErrExpired": core.ErrExpired, "ErrNotYetValid": core.ErrNotYetValid,
	"ErrIssuer": core.ErrIssuer, "ErrAudience": core.ErrAudience, "ErrTokenType": core.ErrTokenType,
	"ErrForbidden": core.ErrForbidden, "ErrKeysUnavailable": core.ErrKeysUnavailable,
}

// wantClass fails the test unless err matches want and no other sentinel. A nil
// want stands for no error.
func wantClass(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
	for name, sentinel := range sentinels {
		if sentinel != want && errors.Is(err, sentinel) {
			t.Errorf("error %q matches %s besides %v", err, name, want)
		}
	}
}

// inProcess is the way to a team without a socket: sockets keep the clock of a
// synctest bubble from moving.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// newVerifier returns a verifier of the team's tokens for testAudience.
func newVerifier(t testing.TB, team *accesstest.Team, changes ...func(*core.Config)) *core.Verifier {
	t.Helper()
	cfg := core.Config{
		Team:       strings.TrimPrefix(team.Issuer(), "https://"),
		Audiences:  []string{testAudience},
		HTTPClient: &http.Client{Transport: inProcess{team}},
		Logger:     slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, change := range changes {
		change(&cfg)
	}
	v, err := core.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newTeam(t testing.TB) *accesstest.Team {
	t.Helper()
	team := accesstest.NewTeam("acme")
	t.Cleanup(team.Close)
	return team
}

// The checks of a token, each at its boundaries. The clock stands still at a
// whole second, so that a boundary is exact; leeway is the default, 30 seconds.
func TestVerifyChecks(t *testing.T) {
	team := newTeam(t)
	user := func(options ...accesstest.Option) func(time.Time) string {
		return func(time.Time) string { return team.SignUser(testAudience, "ada@example.com", options...) }
	}
	service := func(options ...accesstest.Option) func(time.Time) string {
		return func(time.Time) string { return team.SignService(testAudience, "ci-bot", options...) }
	}
	dated := func(claim string, offset time.Duration) func(time.Time) string {
		return func(now time.Time) string {
			seconds := float64(now.Add(offset).UnixMilli()) / 1000
			return user(accesstest.WithClaim(claim, json.Number(fmt.Sprintf("%.3f", seconds))))(now)
		}
	}
	claim, header := accesstest.WithClaim, accesstest.WithHeader
	type object = map[string]any

	tests := map[string]struct {
		token func(now time.Time) string
		want  error
	}{
		"a person's token is good":  {user(), nil},
		"a service token is good":   {service(), nil},
		"the previous key is good":  {user(accesstest.SignedByPreviousKey()), nil},
		"members in another order":  {user(claim("a", 1), claim("zz", nil)), nil},
		"unknown claims are nobody": {user(claim("groups", []string{"x"}), claim("amr", object{})), nil},

		"exp missing":                    {user(accesstest.WithoutClaim("exp")), core.ErrMalformed},
		"exp null":                       {user(claim("exp", nil)), core.ErrMalformed},
		"exp a string":                   {user(claim("exp", "4102444800")), core.ErrMalformed},
		"exp a boolean":                  {user(claim("exp", true)), core.ErrMalformed},
		"exp an object":                  {user(claim("exp", object{})), core.ErrMalformed},
		"exp an array":                   {user(claim("exp", []int{4102444800})), core.ErrMalformed},
		"exp past all dates":             {user(claim("exp", json.Number("1e300"))), core.ErrMalformed},
		"exp past the range of float64":  {user(claim("exp", json.Number("1e999"))), core.ErrMalformed},
		"exp in the year 10000":          {user(claim("exp", 253402300800)), core.ErrMalformed},
		"exp at the end of 9999":         {user(claim("exp", 253402300799)), nil},
		"exp before all dates":           {user(claim("exp", json.Number("-1e300"))), core.ErrMalformed},
		"exp 0":                          {user(claim("exp", 0)), core.ErrExpired},
		"exp negative":                   {user(claim("exp", -1)), core.ErrExpired},
		"exp 1 s before now − leeway":    {dated("exp", -31*time.Second), core.ErrExpired},
		"exp 1 ms before now − leeway":   {dated("exp", -30*time.Second-time.Millisecond), core.ErrExpired},
		"exp at now − leeway":            {dated("exp", -30*time.Second), core.ErrExpired},
		"exp 1 ms after now − leeway":    {dated("exp", -30*time.Second+time.Millisecond), nil},
		"exp 1 s after now − leeway":     {dated("exp", -29*time.Second), nil},
		"nbf missing":                    {user(accesstest.WithoutClaim("nbf")), nil},
		"nbf null":                       {user(claim("nbf", nil)), nil},
		"nbf a string":                   {user(claim("nbf", "0")), core.ErrMalformed},
		"nbf an object":                  {user(claim("nbf", object{})), core.ErrMalformed},
		"nbf past all dates":             {user(claim("nbf", json.Number("1e300"))), core.ErrMalformed},
		"nbf 1 s before now + leeway":    {dated("nbf", 29*time.Second), nil},
		"nbf at now + leeway":            {dated("nbf", 30*time.Second), nil},
		"nbf 1 ms after now + leeway":    {dated("nbf", 30*time.Second+time.Millisecond), core.ErrNotYetValid},
		"nbf 1 s after now + leeway":     {dated("nbf", 31*time.Second), core.ErrNotYetValid},
		"iat missing":                    {user(accesstest.WithoutClaim("iat")), nil},
		"iat null":                       {user(claim("iat", nil)), nil},
		"iat a string":                   {user(claim("iat", "0")), core.ErrMalformed},
		"iat an object":                  {user(claim("iat", object{})), core.ErrMalformed},
		"iat 1 s before now + leeway":    {dated("iat", 29*time.Second), nil},
		"iat at now + leeway":            {dated("iat", 30*time.Second), nil},
		"iat 1 ms after now + leeway":    {dated("iat", 30*time.Second+time.Millisecond), core.ErrNotYetValid},
		"iat 1 s after now + leeway":     {dated("iat", 31*time.Second), core.ErrNotYetValid},
		"iss missing":                    {user(accesstest.WithoutClaim("iss")), core.ErrIssuer},
		"iss null":                       {user(claim("iss", nil)), core.ErrIssuer},
		"iss empty":                      {user(claim("iss", "")), core.ErrIssuer},
		"iss a number":                   {user(claim("iss", 1)), core.ErrMalformed},
		"iss an array":                   {user(claim("iss", []string{team.Issuer()})), core.ErrMalformed},
		"iss another team":               {user(claim("iss", "https://evil.cloudflareaccess.com")), core.ErrIssuer},
		"iss with a trailing slash":      {user(claim("iss", team.Issuer()+"/")), core.ErrIssuer},
		"iss in upper case":              {user(claim("iss", strings.ToUpper(team.Issuer()))), core.ErrIssuer},
		"iss with more behind":           {user(claim("iss", team.Issuer()+".evil.example")), core.ErrIssuer},
		"aud missing":                    {user(accesstest.WithoutClaim("aud")), core.ErrAudience},
		"aud null":                       {user(claim("aud", nil)), core.ErrAudience},
		"aud one string":                 {user(claim("aud", testAudience)), nil},
		"aud several, ours last":         {user(claim("aud", []string{otherAudience, testAudience})), nil},
		"aud another application":        {user(claim("aud", []string{otherAudience})), core.ErrAudience},
		"aud an empty array":             {user(claim("aud", []string{})), core.ErrAudience},
		"aud an empty string":            {user(claim("aud", "")), core.ErrAudience},
		"aud an array of the empty":      {user(claim("aud", []string{""})), core.ErrAudience},
		"aud a number":                   {user(claim("aud", 7)), core.ErrMalformed},
		"aud an array with a number":     {user(claim("aud", []any{testAudience, 7})), core.ErrMalformed},
		"aud an object":                  {user(claim("aud", object{"0": testAudience})), core.ErrMalformed},
		"aud nested":                     {user(claim("aud", [][]string{{testAudience}})), core.ErrMalformed},
		"aud a prefix of ours":           {user(claim("aud", testAudience[:63])), core.ErrAudience},
		"aud ours with more behind":      {user(claim("aud", testAudience+"0")), core.ErrAudience},
		"aud in upper case":              {user(claim("aud", strings.ToUpper(testAudience))), core.ErrAudience},
		"type missing":                   {user(accesstest.WithoutClaim("type")), nil},
		"type null":                      {user(claim("type", nil)), nil},
		"type missing, service":          {service(accesstest.WithoutClaim("type")), nil},
		"type org":                       {user(claim("type", "org")), core.ErrTokenType},
		"type empty":                     {user(claim("type", "")), core.ErrTokenType},
		"type in upper case":             {user(claim("type", "APP")), core.ErrTokenType},
		"type a number":                  {user(claim("type", 1)), core.ErrMalformed},
		"email a number":                 {user(claim("email", 1)), core.ErrMalformed},
		"email an array":                 {user(claim("email", []string{"a@example.com"})), core.ErrMalformed},
		"sub a number":                   {user(claim("sub", 1)), core.ErrMalformed},
		"sub missing":                    {user(accesstest.WithoutClaim("sub")), nil},
		"common_name an object":          {service(claim("common_name", object{})), core.ErrMalformed},
		"country a number":               {user(claim("country", 49)), core.ErrMalformed},
		"identity_nonce a number":        {user(claim("identity_nonce", 1)), core.ErrMalformed},
		"custom an object":               {user(claim("custom", object{"groups": []string{"x"}})), nil},
		"custom an array":                {user(claim("custom", []string{"x"})), core.ErrMalformed},
		"service aud one string":         {service(claim("aud", testAudience)), nil},
		"no claims":                      {func(time.Time) string { return team.Sign(object{}) }, core.ErrIssuer},
		"claims of others before expiry": {user(claim("exp", 0), claim("aud", otherAudience)), core.ErrAudience},
		"org before expiry":              {user(claim("exp", 0), claim("type", "org")), core.ErrTokenType},
		"issuer before org":              {user(claim("iss", "x"), claim("type", "org")), core.ErrIssuer},
		"expired and not yet valid":      {user(claim("exp", 0), claim("nbf", 4102444800)), core.ErrExpired},

		"kid missing":                {user(accesstest.WithoutHeader("kid")), core.ErrMalformed},
		"kid null":                   {user(header("kid", nil)), core.ErrMalformed},
		"kid empty":                  {user(header("kid", "")), core.ErrMalformed},
		"kid a number":               {user(header("kid", 1)), core.ErrMalformed},
		"kid an array":               {user(header("kid", []string{team.KeyID()})), core.ErrMalformed},
		"kid under another case":     {user(accesstest.WithoutHeader("kid"), header("Kid", team.KeyID())), core.ErrMalformed},
		"kid in upper case":          {user(header("kid", strings.ToUpper(team.KeyID()))), core.ErrUnknownKey},
		"kid unknown":                {user(header("kid", strings.Repeat("0", 64))), core.ErrUnknownKey},
		"kid of the other key":       {user(accesstest.SignedByPreviousKey(), header("kid", team.KeyID())), core.ErrSignature},
		"crit with an extension":     {user(header("crit", []string{"exp"}), header("exp", 1)), core.ErrMalformed},
		"crit b64":                   {user(header("crit", []string{"b64"}), header("b64", true)), core.ErrMalformed},
		"crit empty":                 {user(header("crit", []string{})), core.ErrMalformed},
		"crit null":                  {user(header("crit", nil)), core.ErrMalformed},
		"header fields of no matter": {user(header("jku", "https://evil.example/keys"), header("cty", "x"), accesstest.WithoutHeader("typ")), nil},
		"alg none":                   {user(accesstest.Unsigned()), core.ErrSignature},
		"alg none in other case":     {user(accesstest.Unsigned(), header("alg", "nOnE")), core.ErrSignature},
		"alg HS256, public key":      {user(accesstest.SignedHS256()), core.ErrSignature},
		"alg RS256, but HS256":       {user(accesstest.SignedHS256(), header("alg", "RS256")), core.ErrSignature},
		"alg RS384":                  {user(header("alg", "RS384")), core.ErrSignature},
		"alg PS256":                  {user(header("alg", "PS256")), core.ErrSignature},
		"alg in lower case":          {user(header("alg", "rs256")), core.ErrSignature},
		"alg missing":                {user(accesstest.WithoutHeader("alg")), core.ErrMalformed},
		"alg under another case":     {user(accesstest.WithoutHeader("alg"), header("Alg", "RS256")), core.ErrMalformed},
		"alg a number":               {user(header("alg", 256)), core.ErrMalformed},
		"a stranger's signature":     {user(accesstest.SignedByStranger()), core.ErrSignature},
	}
	for _, name := range []string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "type", "email", "common_name", "identity_nonce", "country", "custom",
	} {
		// Names of claims are compared exactly (RFC 7519 section 4). A value of
		// the wrong type shows that nobody looked at it.
		for _, spelled := range []string{strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			tests[name+" is not "+spelled] = struct {
				token func(time.Time) string
				want  error
			}{user(claim(spelled, []object{{"not": "this"}})), nil}
		}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVerifier(t, team)
				token := test.token(time.Now())
				for _, visit := range []string{"first", "second"} {
					claims, err := v.Verify(t.Context(), token)
					if test.want == nil && err != nil {
						t.Fatalf("%s visit: %v", visit, err)
					}
					wantClass(t, err, test.want)
					if (claims == nil) != (err != nil) {
						t.Fatalf("%s visit: claims %v with error %v", visit, claims, err)
					}
				}
			})
		})
	}
}

// One token has one spelling: none of these is the token, though each means it.
func TestVerifySpelling(t *testing.T) {
	team := newTeam(t)
	token := team.SignUser(testAudience, "ada@example.com")
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

	spellings := map[string]string{
		"empty":                       "",
		"one segment":                 header,
		"two segments":                join(header, payload),
		"four segments":               token + ".",
		"five segments, a JWE":        join(header, payload, signature, "", ""),
		"only dots":                   "..",
		"no header":                   join("", payload, signature),
		"no payload":                  join(header, "", signature),
		"no signature":                join(header, payload, ""),
		"padded":                      token + "==",
		"padded header":               join(header+"=", payload, signature),
		"a line break behind":         token + "\n",
		"a carriage return behind":    token + "\r",
		"a line break inside":         token[:100] + "\r\n" + token[100:],
		"a line break in the kid":     token[:20] + "\n" + token[20:],
		"a space before":              " " + token,
		"a space behind":              token + " ",
		"a scheme before":             "Bearer " + token,
		"in quotes":                   `"` + token + `"`,
		"a NUL behind":                token + "\x00",
		"the other base64 alphabet":   join(header, payload, strings.NewReplacer("-", "+", "_", "/").Replace(signature+"-")),
		"segments in another order":   join(payload, header, signature),
		"header not JSON":             join(base64.RawURLEncoding.EncodeToString([]byte("{")), payload, signature),
		"header an array":             join(base64.RawURLEncoding.EncodeToString([]byte("[]")), payload, signature),
		"header null":                 join(base64.RawURLEncoding.EncodeToString([]byte("null")), payload, signature),
		"header twice":                join(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}{}`)), payload, signature),
		"payload not JSON":            join(header, base64.RawURLEncoding.EncodeToString([]byte("{")), signature),
		"payload null":                join(header, base64.RawURLEncoding.EncodeToString([]byte("null")), signature),
		"payload not base64":          join(header, "*", signature),
		"signature not base64":        join(header, payload, "*"),
		"signature a byte short":      join(header, payload, signature[:340]),
		"signature with a byte added": join(header, payload, signature[:341]+"QQ"),
	}
	// The header is read as strictly as the rest.
	unknown := team.SignUser(testAudience, "ada@example.com", accesstest.WithHeader("kid", "made up"), accesstest.WithHeader("typ", "jwt"))
	unknownHeader, unknownRest, _ := strings.Cut(unknown, ".")
	if len(unknownHeader)%4 == 0 {
		t.Fatal("the header has no slack bits to test")
	}
	spellings["slack bits of a header"] = join(unknownHeader[:len(unknownHeader)-1]+string(alphabet[strings.IndexByte(alphabet, unknownHeader[len(unknownHeader)-1])|1]), unknownRest)
	spellings["a header over 2 KiB"] = team.SignUser(testAudience, "ada@example.com", accesstest.WithHeader("x", strings.Repeat("x", 2<<10)))

	last := strings.IndexByte(alphabet, signature[len(signature)-1])
	for slack := 1; slack < 16; slack++ {
		spelled := alphabet[last^slack]
		spellings[fmt.Sprintf("slack bits %d of the signature", slack)] = token[:len(token)-1] + string(spelled)
	}

	v := newVerifier(t, team)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	for name, spelled := range spellings {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), spelled)
			if errors.Is(err, core.ErrSignature) {
				// Well-formed, but what it says isn't what was signed.
				return
			}
			wantClass(t, err, core.ErrMalformed)
		})
	}
}

// Every byte of a token counts.
func TestVerifyTamperedByte(t *testing.T) {
	team := newTeam(t)
	v := newVerifier(t, team)
	token := team.SignUser(testAudience, "ada@example.com")
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	for i := range token {
		other := byte('A')
		if token[i] == other {
			other = 'B'
		}
		if _, err := v.Verify(t.Context(), token[:i]+string(other)+token[i+1:]); err == nil {
			t.Errorf("byte %d may be anything", i)
		}
	}
}

func TestVerifySize(t *testing.T) {
	team := newTeam(t)
	v := newVerifier(t, team)
	sign := func(filler int) string {
		return team.SignUser(testAudience, "ada@example.com", accesstest.WithClaim("custom", map[string]string{"x": strings.Repeat("x", filler)}))
	}
	filler := (8<<10 - len(sign(0))) * 3 / 4
	for len(sign(filler+1)) <= 8<<10 {
		filler++
	}
	if n := len(sign(filler)); n < 8<<10-1 {
		t.Fatalf("the largest token has %d bytes; the test misses the boundary", n)
	}
	if _, err := v.Verify(t.Context(), sign(filler)); err != nil {
		t.Errorf("a token of 8 KiB: %v", err)
	}
	_, err := v.Verify(t.Context(), sign(filler+1))
	wantClass(t, err, core.ErrMalformed)

	// Refused before anything is decoded, let alone fetched.
	fetches := team.Fetches()
	_, err = newVerifier(t, team).Verify(t.Context(), strings.Repeat("A", 100<<20))
	wantClass(t, err, core.ErrMalformed)
	if team.Fetches() != fetches {
		t.Error("an oversized token caused a fetch")
	}
}

func TestSeveralAudiences(t *testing.T) {
	team := newTeam(t)
	v := newVerifier(t, team, func(c *core.Config) { c.Audiences = []string{testAudience, otherAudience} })
	for name, test := range map[string]struct {
		audience any
		want     error
	}{
		"the first":           {[]string{testAudience}, nil},
		"the second":          {[]string{otherAudience}, nil},
		"the second, alone":   {otherAudience, nil},
		"both":                {[]string{otherAudience, testAudience}, nil},
		"one and a third":     {[]string{"third", otherAudience}, nil},
		"neither":             {[]string{"third"}, core.ErrAudience},
		"both, in one string": {testAudience + "," + otherAudience, core.ErrAudience},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), team.SignUser(testAudience, "ada@example.com", accesstest.WithClaim("aud", test.audience)))
			wantClass(t, err, test.want)
		})
	}
}

func TestLeewayNone(t *testing.T) {
	team := newTeam(t)
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier(t, team, func(c *core.Config) { c.Leeway = -1 })
		now := time.Now()
		for offset, want := range map[time.Duration]error{-time.Second: core.ErrExpired, 0: core.ErrExpired, time.Second: nil} {
			_, err := v.Verify(t.Context(), team.SignUser(testAudience, "ada@example.com", accesstest.WithExpiry(now.Add(offset))))
			wantClass(t, err, want)
		}
	})
}

// Tokens arrive in buffers that frameworks use again.
func TestVerifyDoesNotKeepTheCallersMemory(t *testing.T) {
	team := newTeam(t)
	v := newVerifier(t, team)
	token := team.SignUser(testAudience, "ada@example.com")
	buffer, aliased := aliasedString(token)
	claims, err := v.Verify(t.Context(), aliased)
	if err != nil {
		t.Fatal(err)
	}
	forged := team.SignUser(testAudience, "eve@example.com", accesstest.SignedByStranger())
	copy(buffer, forged)

	if claims.Token() != token || claims.Email != "ada@example.com" {
		t.Error("the claims changed with the buffer")
	}
	if _, err := v.Verify(t.Context(), aliased); !errors.Is(err, core.ErrSignature) {
		t.Errorf("a forged token in the same buffer: %v", err)
	}
	if again, err := v.Verify(t.Context(), token); err != nil || again.Email != "ada@example.com" {
		t.Errorf("the good token afterwards: %v, %v", again, err)
	}
}

// What a refused token says must reach no log: a token, even an expired one,
// is a credential until proven otherwise.
func TestNoTokenInALogOrAnError(t *testing.T) {
	team := newTeam(t)
	var log strings.Builder
	v := newVerifier(t, team, func(c *core.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	tokens := []string{
		team.SignUser(testAudience, "ada@example.com", accesstest.WithExpiry(time.Now().Add(-time.Hour))),
		team.SignUser(testAudience, "ada@example.com", accesstest.SignedByStranger()),
		team.SignUser(testAudience, "ada@example.com", accesstest.WithHeader("kid", strings.Repeat("k", 4000))),
		team.SignUser(testAudience, "ada@example.com", accesstest.WithClaim("type", strings.Repeat("t", 4000))),
		team.SignUser(testAudience, "ada@example.com") + "*",
	}
	for _, token := range tokens {
		_, err := v.Verify(t.Context(), token)
		if err == nil {
			t.Fatal("accepted")
		}
		signature := token[strings.LastIndexByte(token, '.')+1:]
		for where, text := range map[string]string{"error": err.Error(), "log": log.String()} {
			if strings.Contains(text, signature[:40]) || strings.Contains(text, token[:40]) {
				t.Errorf("the %s holds the token: %s", where, text)
			}
		}
		if len(err.Error()) > 300 {
			t.Errorf("an error of %d bytes: a stranger writes the log", len(err.Error()))
		}
	}
	if n := strings.Count(log.String(), "level=DEBUG"); n != len(tokens) {
		t.Errorf("%d refusals logged at DEBUG, want %d:\n%s", n, len(tokens), &log)
	}
}

func TestHookVerified(t *testing.T) {
	team := newTeam(t)
	var events []core.Decision
	type key struct{}
	v := newVerifier(t, team, func(c *core.Config) {
		c.Hooks.Decided = func(ctx context.Context, e core.Decision) {
			if ctx.Value(key{}) != "the caller's" {
				t.Error("the hook got another context")
			}
			events = append(events, e)
		}
	})
	ctx := context.WithValue(t.Context(), key{}, "the caller's")
	token := team.SignUser(testAudience, "ada@example.com")
	first, _ := v.Verify(ctx, token)
	second, _ := v.Authenticate(ctx, http.Header{core.TokenHeader: {token}})
	_, err := v.Verify(ctx, token+"*")

	if len(events) != 3 {
		t.Fatalf("%d events, want 3", len(events))
	}
	for i, want := range []core.Decision{{Claims: first}, {Claims: second, Cached: true}, {Err: err}} {
		got := events[i]
		if got.Claims != want.Claims || got.Err != want.Err || got.Cached != want.Cached {
			t.Errorf("event %d: got %+v, want %+v", i, got, want)
		}
		if got.Duration <= 0 {
			t.Errorf("event %d took %v", i, got.Duration)
		}
	}
}
