package core

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// Nothing behind the verifier can be fooled by a forged email header.
func TestForward(t *testing.T) {
	const name = EmailHeader
	ada, service := &Claims{Email: "ada@example.com"}, &Claims{CommonName: "ci-bot"}
	root, verified := []string{"root@example.com"}, []string{"ada@example.com"}
	none := http.Header{}
	for label, test := range map[string]struct {
		sent   http.Header
		outer  *Claims // of an outer middleware
		claims *Claims
		want   http.Header
		caller *Claims
	}{
		"a person, no header":               {none, nil, ada, http.Header{name: verified}, ada},
		"a person, nil headers":             {nil, nil, ada, http.Header{name: verified}, ada},
		"a person, the same":                {http.Header{name: verified}, nil, ada, http.Header{name: verified}, ada},
		"a person, forged":                  {http.Header{name: root}, nil, ada, http.Header{name: verified}, ada},
		"a person, forged as second":        {http.Header{name: {verified[0], root[0]}}, nil, ada, http.Header{name: verified}, ada},
		"a person, the same twice":          {http.Header{name: {verified[0], verified[0]}}, nil, ada, http.Header{name: verified}, ada},
		"a service, forged":                 {http.Header{name: root}, nil, service, none, service},
		"a service, forged, empty":          {http.Header{name: {""}}, nil, service, none, service},
		"no caller, forged":                 {http.Header{name: root}, nil, nil, none, nil},
		"no caller, no header":              {none, nil, nil, none, nil},
		"no caller, behind an outer":        {http.Header{name: root}, ada, nil, http.Header{name: verified}, ada},
		"no caller, behind an outer, right": {http.Header{name: verified}, ada, nil, http.Header{name: verified}, ada},
		"a service, behind an outer":        {http.Header{name: verified}, ada, service, none, service},
		"a key without a value":             {http.Header{name: {}}, nil, nil, none, nil},
		// CGI and WSGI servers take these for the header.
		"underscores":             {http.Header{"Cf_access_authenticated_user_email": root}, nil, ada, http.Header{name: verified}, ada},
		"one underscore":          {http.Header{"Cf-Access_Authenticated-User-Email": root, name: verified}, nil, ada, http.Header{name: verified}, ada},
		"underscores, a service":  {http.Header{"CF_ACCESS_AUTHENTICATED_USER_EMAIL": root}, nil, service, none, service},
		"a space before a colon":  {http.Header{name + " ": root}, nil, service, none, service},
		"lower case":              {http.Header{strings.ToLower(name): root}, nil, service, none, service},
		"several spellings":       {http.Header{strings.ToUpper(name): root, "cf_access-authenticated_user-email": root, " " + name: root}, nil, nil, none, nil},
		"others stay":             {http.Header{name: root, "Cf-Access-Authenticated-User": root, "X": {"1", "2"}}, nil, nil, http.Header{"Cf-Access-Authenticated-User": root, "X": {"1", "2"}}, nil},
		"Connection names it":     {http.Header{"Connection": {name}}, nil, ada, http.Header{name: verified}, ada},
		"Connection, a list":      {http.Header{"Connection": {"close, " + name + ",te"}}, nil, ada, http.Header{"Connection": {"close,te"}, name: verified}, ada},
		"Connection, second line": {http.Header{"Connection": {"close", strings.ToLower(name)}}, nil, ada, http.Header{"Connection": {"close"}, name: verified}, ada},
		"Connection, a spelling":  {http.Header{"Connection": {"close,cf_access_authenticated_user_email"}}, nil, nil, http.Header{"Connection": {"close"}}, nil},
		"Connection, others":      {http.Header{"Connection": {"Upgrade, TE"}, name: verified}, nil, ada, http.Header{"Connection": {"Upgrade, TE"}, name: verified}, ada},
	} {
		t.Run(label, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header = test.sent
			if test.outer != nil {
				r = r.WithContext(NewContext(r.Context(), test.outer))
			}
			sent := test.sent.Clone()
			forwarded := Forward(r, test.claims)
			if got := forwarded.Header; len(got)+len(test.want) > 0 && !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			if caller, _ := FromContext(forwarded.Context()); caller != test.caller {
				t.Errorf("caller %v, want %v", caller, test.caller)
			}
			// Where nothing changes nothing is written.
			isRight := reflect.DeepEqual(sent, test.want)
			if isSame := reflect.ValueOf(forwarded.Header).Pointer() == reflect.ValueOf(test.sent).Pointer(); isSame != isRight {
				t.Errorf("the same header map: %v, want %v", isSame, isRight)
			}
			if test.claims == nil && isRight != (forwarded == r) {
				t.Errorf("the same request: %v, want %v", forwarded == r, isRight)
			}
			// The caller's map stays as it is, and so do its values.
			for _, name := range []string{EmailHeader, "Connection"} {
				if values := forwarded.Header[name]; values != nil && !isRight {
					values[0] = "changed"
				}
			}
			if !reflect.DeepEqual(test.sent, sent) {
				t.Errorf("the caller's header is now %q, was %q", test.sent, sent)
			}
		})
	}
}

// net/http fills in the trailers once the body was read, and over HTTP/1 also
// those that the request doesn't announce. None reaches the handler.
func TestForwardDropsTrailers(t *testing.T) {
	for name, announced := range map[string]string{
		"none announced":         "",
		"the email announced":    "Trailer: " + EmailHeader + "\r\n",
		"another one announced":  "Trailer: X\r\n",
		"both announced":         "Trailer: X, " + EmailHeader + "\r\n",
		"underscores, announced": "Trailer: Cf_Access_Authenticated_User_Email\r\n",
	} {
		for caller, claims := range map[string]*Claims{"nobody": nil, "ada": {Email: "ada@example.com"}} {
			t.Run(name+", "+caller, func(t *testing.T) {
				r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + announced +
					"\r\n4\r\nbody\r\n0\r\nX: 1\r\n" + EmailHeader + ": root@example.com\r\nCf_Access_Authenticated_User_Email: root@example.com\r\n\r\n")))
				if err != nil {
					t.Fatal(err)
				}
				forwarded := Forward(r, claims)
				if body, err := io.ReadAll(forwarded.Body); err != nil || string(body) != "body" {
					t.Errorf("read %q, %v", body, err)
				}
				if len(forwarded.Trailer) > 0 || len(r.Trailer) != 3 {
					t.Errorf("the handler gets %q, of %q", forwarded.Trailer, r.Trailer)
				}
			})
		}
	}
}

// http.TimeoutHandler and access logs read the header map meanwhile. The race
// detector sees a write to it.
func TestForwardWhileAnotherReads(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = http.Header{EmailHeader: {"root@example.com"}, "Connection": {"close," + EmailHeader}, "Cf_access_authenticated_user_email": {"x"}}
	var readers sync.WaitGroup
	defer readers.Wait()
	for range 2 {
		readers.Go(func() {
			for range 1000 {
				_ = r.Header.Clone()
			}
		})
	}
	for range 1000 {
		Forward(r, &Claims{Email: "ada@example.com"})
		Forward(r, nil)
	}
}

// The header reaches what is behind a reverse proxy, which drops the fields that
// Connection names.
func TestForwardThroughAReverseProxy(t *testing.T) {
	var got []string
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "upstream.example" },
		Transport: transport(func(r *http.Request) (*http.Response, error) {
			got = r.Header[EmailHeader]
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
		}),
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Connection", "close, cf-access-authenticated-user-email")
	proxy.ServeHTTP(httptest.NewRecorder(), Forward(r, &Claims{Email: "ada@example.com"}))
	if len(got) != 1 || got[0] != "ada@example.com" {
		t.Errorf("the upstream gets %q", got)
	}
}

func TestIsEmailHeader(t *testing.T) {
	for name, want := range map[string]bool{
		EmailHeader:                                true,
		strings.ToLower(EmailHeader):               true,
		strings.ToUpper(EmailHeader):               true,
		strings.ReplaceAll(EmailHeader, "-", "_"):  true,
		EmailHeader + " ":                          true,
		"\t" + EmailHeader + "\r\n":                true,
		"":                                         false,
		EmailHeader + "s":                          false,
		"X-" + EmailHeader:                         false,
		EmailHeader[1:]:                            false,
		strings.ReplaceAll(EmailHeader, "-", ""):   false,
		strings.ReplaceAll(EmailHeader, "-", " "):  true,
		strings.ReplaceAll(EmailHeader, "-", "."):  true,
		strings.ReplaceAll(EmailHeader, "-", "--"): false,
		"HTTP_" + strings.ToUpper(EmailHeader):     false,
		"Cf-Access-Authenticated-User-Name":        false,
	} {
		if got := IsEmailHeader(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
	// Every name that differs in one byte.
	fold := func(b byte) byte {
		switch {
		case 'A' <= b && b <= 'Z':
			return b + 'a' - 'A'
		case 'a' <= b && b <= 'z', '0' <= b && b <= '9':
			return b
		}
		return '-'
	}
	for i := range EmailHeader {
		for b := range 256 {
			name := EmailHeader[:i] + string([]byte{byte(b)}) + EmailHeader[i+1:]
			if got, want := IsEmailHeader(name), fold(byte(b)) == fold(EmailHeader[i]); got != want {
				t.Errorf("%q: got %v", name, got)
			}
		}
	}
}
