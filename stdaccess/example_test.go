package stdaccess_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/stdaccess"
)

// A server with a public route, a protected one, and one for some people only.
func Example() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{audience}, Endpoint: team.URL})
	if err != nil {
		panic(err)
	}

	protected := http.NewServeMux()
	protected.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if claims, ok := stdaccess.Claims(r); ok {
			fmt.Fprintf(w, "hello %s", claims.Email)
		}
	})
	admin := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello administrator") })
	protected.Handle("/admin/", stdaccess.Require(core.EmailDomains("example.com"))(admin))

	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	mux.Handle("/", stdaccess.New(verifier)(protected))

	visit := func(path, token string) {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set(core.TokenHeader, token)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	ada := team.SignUser(audience, "ada@example.com")
	eve := team.SignUser(audience, "eve@elsewhere.example")
	visit("/healthz", "")
	visit("/", ada)
	visit("/admin/", ada)
	visit("/admin/", eve)
	// Output:
	// 200 ok
	// 200 hello ada@example.com
	// 200 hello administrator
	// 403 {"type":"about:blank","title":"Forbidden","status":403,"detail":"You are signed in, but not allowed to do this.","code":"forbidden"}
}
