package differential

import (
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/scripts/peers"
)

// A verifier that is wrong in one class is found. The smallest token has the edit for
// that class and no other.
func TestFindsWrongVerifiers(t *testing.T) {
	if raceEnabled {
		t.Skip("takes half a minute with the race detector, and has no concurrent code")
	}
	setFlag(t, "rapid.checks", "5000")
	setFlag(t, "rapid.seed", "1")
	const (
		cached  = peers.Ours + " with a cache"
		accepts = " accepts a token that breaks a rule"
		refuses = " refuses a token that breaks no rule"
	)
	accept := func(string, error) error { return nil }
	refuse := exchange(nil, core.ErrMalformed)
	verifiers := newVerifiers(t)
	for name, test := range map[string]struct {
		verifier string
		wrong    func(token string, err error) error
		want     string
		edit     string // a pattern; "" if a token without edits will do
	}{
		"accepts an org token":     {peers.Ours, exchange(core.ErrTokenType, nil), peers.Ours + accepts, "claims type: .*"},
		"accepts another audience": {peers.Ours, exchange(core.ErrAudience, nil), peers.Ours + accepts, "claims( aud|): .*"},
		"accepts an unknown key":   {cached, exchange(core.ErrUnknownKey, nil), cached + accepts, "(signature|header kid|header sent): .*"},
		"accepts a forgery":        {peers.Ours, exchange(core.ErrSignature, nil), peers.Ours + accepts, "(signature|header alg|.* sent): .*"},
		"accepts anything":         {cached, accept, cached + accepts, ".*"},
		"refuses anything":         {peers.Ours, refuse, peers.Ours + refuses, ""},
		"refuses a service token":  {peers.Ours, where(`"common_name"`, refuse), peers.Ours + refuses, ""},
		"refuses a jti":            {cached, where(`"jti":`, refuse), cached + refuses, "claims (jti|more): .*"},
		"mistakes aud for iss":     {peers.Ours, exchange(core.ErrAudience, core.ErrIssuer), peers.Ours + " refuses with the error of another rule", "claims aud: .*"},
		"peer accepts anything":    {peers.JWX, accept, "jwx accepts for no reason that has a name", ".*"},
		"peer refuses anything":    {peers.GoOIDC, refuse, "go-oidc refuses for no reason that has a name", ""},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := slices.Clone(verifiers)
			for i, v := range wrong {
				if v.name == test.verifier {
					wrong[i].verify = func(token string) error { return test.wrong(token, v.verify(token)) }
				}
			}
			got := run(wrong)
			if want := "[rapid] failed after "; !strings.HasPrefix(got, want) || !strings.Contains(got, ": "+test.want+"\n") {
				t.Fatalf("want %s… tests: %s, got\n%s", want, test.want, got)
			}
			var edits []string
			for _, found := range regexp.MustCompile(`(?m)^edit +(.*)$`).FindAllStringSubmatch(got, -1) {
				edits = append(edits, found[1])
			}
			if !regexp.MustCompile(`^` + test.edit + `$`).MatchString(strings.Join(edits, "\n")) {
				t.Errorf("edits %q, want %q", edits, test.edit)
			}
		})
	}
}

// run returns what check prints.
func run(verifiers []verifier) string {
	r, done := &recorder{}, make(chan struct{})
	go func() { // which FailNow ends
		defer close(done)
		check(r, verifiers, make(tally))
	}()
	<-done
	return r.text.String()
}

// exchange returns one error instead of another. nil is an error here too.
func exchange(of, instead error) func(string, error) error {
	return func(_ string, err error) error {
		if errors.Is(err, of) {
			return instead
		}
		return err
	}
}

// where is wrong only about tokens whose claims match the pattern.
func where(pattern string, wrong func(string, error) error) func(string, error) error {
	matches := regexp.MustCompile(pattern)
	return func(token string, err error) error {
		segments := strings.Split(token, ".")
		claims, _ := base64.RawURLEncoding.DecodeString(segments[min(1, len(segments)-1)])
		if matches.Match(claims) {
			return wrong(token, err)
		}
		return err
	}
}

func setFlag(t *testing.T, name, value string) {
	before := flag.Lookup(name).Value.String()
	t.Cleanup(func() { _ = flag.Set(name, before) })
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
}

// A recorder is a test that may fail.
type recorder struct {
	testing.TB
	text   strings.Builder
	failed bool
}

func (r *recorder) Helper()                         {}
func (r *recorder) Name() string                    { return "recorder" }
func (r *recorder) Logf(format string, args ...any) { fmt.Fprintf(&r.text, format+"\n", args...) }
func (r *recorder) Log(args ...any)                 { fmt.Fprintln(&r.text, args...) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failed = true
	r.Logf(format, args...)
}
func (r *recorder) Failed() bool { return r.failed }
func (r *recorder) FailNow()     { runtime.Goexit() }
