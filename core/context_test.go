package core_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cfaccess/cfaccess/core"
)

func TestFromContext(t *testing.T) {
	claims := &core.Claims{Email: "ada@example.com"}
	for name, test := range map[string]struct {
		ctx  context.Context
		want *core.Claims
	}{
		"claims":        {core.NewContext(t.Context(), claims), claims},
		"no claims":     {t.Context(), nil},
		"nil claims":    {core.NewContext(t.Context(), nil), nil},
		"the innermost": {core.NewContext(core.NewContext(t.Context(), &core.Claims{}), claims), claims},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := core.FromContext(test.ctx)
			if got != test.want || ok != (test.want != nil) {
				t.Errorf("got %v, %v", got, ok)
			}
		})
	}
}

// Nothing behind the verifier can be fooled by a forged email header.
func TestForward(t *testing.T) {
	ada := &core.Claims{Email: "ada@example.com"}
	service := &core.Claims{CommonName: "ci-bot"}
	tests := map[string]struct {
		sent   []string // values of the email header
		outer  *core.Claims
		claims *core.Claims
		want   []string
		caller *core.Claims
	}{
		"a person, no header":        {nil, nil, ada, []string{"ada@example.com"}, ada},
		"a person, the same":         {[]string{"ada@example.com"}, nil, ada, []string{"ada@example.com"}, ada},
		"a person, forged":           {[]string{"root@example.com"}, nil, ada, []string{"ada@example.com"}, ada},
		"a person, forged as second": {[]string{"ada@example.com", "root@example.com"}, nil, ada, []string{"ada@example.com"}, ada},
		"a service, forged":          {[]string{"root@example.com"}, nil, service, nil, service},
		"nobody, forged":             {[]string{"root@example.com"}, nil, nil, nil, nil},
		"nobody, no header":          {nil, nil, nil, nil, nil},
		"nobody, behind an outer":    {[]string{"root@example.com"}, ada, nil, []string{"ada@example.com"}, ada},
		"a service, behind an outer": {[]string{"ada@example.com"}, ada, service, nil, service},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			for _, email := range test.sent {
				r.Header.Add("cf-access-authenticated-user-email", email)
			}
			if test.outer != nil {
				r = r.WithContext(core.NewContext(r.Context(), test.outer))
			}
			forwarded := core.Forward(r, test.claims)

			got := forwarded.Header.Values(core.EmailHeader)
			if len(got) != len(test.want) || len(got) == 1 && got[0] != test.want[0] {
				t.Errorf("email header %q, want %q", got, test.want)
			}
			if caller, _ := core.FromContext(forwarded.Context()); caller != test.caller {
				t.Errorf("caller %v, want %v", caller, test.caller)
			}
		})
	}
}
