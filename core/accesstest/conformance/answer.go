package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
)

// A refusal is what a refused request must get.
type refusal struct {
	*core.Refusal
	secrets []string // what the client must not read
}

// wanted returns what core decides of a request to a protected route, which must
// be a refusal of that class: the adapter has to say the same.
func (s *suite) wanted(t *testing.T, to server, path string, header http.Header, class error) refusal {
	t.Helper()
	err := decide(t.Context(), to.Site, path, header)
	if !errors.Is(err, class) {
		t.Fatalf("the suite is wrong: core says %v of this request, not %v", err, class)
	}
	secrets := []string{"cfaccess:", audience, s.team.KeyID(), reason}
	if _, detail, _ := strings.Cut(err.Error(), class.Error()+": "); detail != "" {
		secrets = append(secrets, detail)
	}
	return refusal{core.Refuse(err), secrets}
}

// decide is an adapter without a framework.
func decide(ctx context.Context, site Site, path string, header http.Header) error {
	if path != PathRequireAlone {
		canonical := http.Header{}
		for name, values := range header {
			for _, value := range values {
				canonical.Add(name, value)
			}
		}
		claims, err := site.Verifier.Admit(ctx, canonical, site.Rule)
		if err != nil {
			return err
		}
		ctx = core.NewContext(ctx, claims)
	}
	if path != PathRequired && path != PathRequireAlone {
		return nil
	}
	_, err := core.Require(ctx, core.AllOf(site.Policies...))
	return err
}

// refused sends a GET that must be refused with an error of that class.
func (s *suite) refused(t *testing.T, to server, path string, header http.Header, class error) {
	t.Helper()
	want := s.wanted(t, to, path, header, class)
	got := s.send(t, to, http.MethodGet, path, header, "")
	for _, a := range aspects() {
		if wrong := a.wrong(got, want); wrong != "" {
			t.Errorf("%s: %s (%s)", a.name, wrong, a.rule)
		}
	}
}

// An aspect is something to look at in the answer to a refused request. wrong
// says what is wrong with it, or nothing.
type aspect struct {
	name, rule string
	wrong      func(got answer, want refusal) string
}

func aspects() []aspect {
	return []aspect{
		{"handler", "a refused request never reaches the handler", func(got answer, _ refusal) string {
			if got.calls != 0 {
				return fmt.Sprintf("called %d times", got.calls)
			}
			return ""
		}},
		{"status", "the status is that of core.Refuse, by the table in the README", func(got answer, want refusal) string {
			return differ(strconv.Itoa(got.status), strconv.Itoa(want.Status))
		}},
		{"Content-Type", "a refusal is a problem document (RFC 9457), with no charset", sameField("Content-Type")},
		{"Cache-Control", "the edge in front is a cache, which must not keep a refusal", sameField("Cache-Control")},
		{"WWW-Authenticate", "a 401 has the challenge of core.Refuse (RFC 6750), no other status has one", sameField("Www-Authenticate")},
		{"Retry-After", "a 503 says when to come again, in 1 to 60 seconds; no other status does", retryAfter},
		{"body", "the body is that of core.Refuse, byte for byte", sameBody},
		{"secrets", "the client reads neither the error's text nor what was expected", keptSecrets},
	}
}

// sameField compares all values of a header field that core.Refuse sets, or
// doesn't set.
func sameField(name string) func(answer, refusal) string {
	return func(got answer, want refusal) string {
		return differ(fmt.Sprintf("%q", got.header.Values(name)), fmt.Sprintf("%q", want.Header().Values(name)))
	}
}

// retryAfter allows for the time between the suite's decision and the adapter's.
func retryAfter(got answer, want refusal) string {
	if want.RetryAfter == 0 {
		return sameField("Retry-After")(got, want)
	}
	values := got.header.Values("Retry-After")
	if len(values) == 1 {
		if seconds, err := strconv.Atoi(values[0]); err == nil && seconds >= 1 && seconds <= 60 {
			return ""
		}
	}
	return fmt.Sprintf("got %q", values)
}

func sameBody(got answer, want refusal) string {
	return differ(strconv.Quote(got.body), strconv.Quote(string(want.Body())))
}

// noBody is sameBody for HEAD.
func noBody(got answer, want refusal) string {
	// RFC 9110 section 8.6: a Content-Length is that of the answer to a GET.
	length, body := got.header.Get("Content-Length"), len(want.Body())
	if length != "" && length != strconv.Itoa(body) {
		return fmt.Sprintf("got Content-Length %s; a GET would get %d bytes", length, body)
	}
	return differ(strconv.Quote(got.body), `""`)
}

func keptSecrets(got answer, want refusal) string {
	text := fmt.Sprint(got.header) + got.body
	for _, secret := range want.secrets {
		if strings.Contains(text, secret) {
			return fmt.Sprintf("the answer tells %q: %s", secret, text)
		}
	}
	return ""
}

func differ(got, want string) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("got %s, want %s", got, want)
}
