package accesstest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

const exampleAudience = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"

// A team publishes two keys, as Access does.
func ExampleTeam() {
	team := accesstest.NewTeam("acme")
	defer team.Close()

	response, err := http.Get(team.URL + "/cdn-cgi/access/certs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	var document struct {
		Keys []struct {
			Algorithm string `json:"alg"`
		} `json:"keys"`
	}
	if err := json.NewDecoder(response.Body).Decode(&document); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(team.Issuer())
	fmt.Println(document.Keys)
	fmt.Println(team.Fetches())
	// Output:
	// https://acme.cloudflareaccess.com
	// [{RS256} {RS256}]
	// 1
}

func ExampleTeam_SignUser() {
	team := accesstest.NewTeam("acme")
	defer team.Close()

	claims := claimsOf(team.SignUser(exampleAudience, "ada@example.com",
		accesstest.WithClaim("country", "GB"),
		accesstest.WithoutClaim("nbf"),
	))
	fmt.Println(claims["email"], claims["country"], claims["type"], claims["nbf"])
	// Output: ada@example.com GB app <nil>
}

func ExampleTeam_SignService() {
	team := accesstest.NewTeam("acme")
	defer team.Close()

	claims := claimsOf(team.SignService(exampleAudience, "ci-bot.access"))
	fmt.Printf("%v %q %v\n", claims["common_name"], claims["sub"], claims["email"])
	// Output: ci-bot.access "" <nil>
}

// The handler under test sees a certs endpoint that is down, then up again.
func ExampleTeam_Fail() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	fetch := func() int {
		recorder := httptest.NewRecorder()
		team.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/cdn-cgi/access/certs", nil))
		return recorder.Code
	}

	team.Fail(http.StatusBadGateway)
	fmt.Println(fetch())
	team.Recover()
	fmt.Println(fetch())
	fmt.Println(team.Fetches(), "fetches")
	// Output:
	// 502
	// 200
	// 2 fetches
}

// A connection that is cut in the middle of the document.
func ExampleTeam_Handle() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	team.Handle(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(team.Certs()[:100])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))

	response, err := http.Get(team.URL + "/cdn-cgi/access/certs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	var document map[string]any
	fmt.Println(json.NewDecoder(response.Body).Decode(&document))
	// Output: unexpected EOF
}

func ExampleTeam_Rotate() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	old := team.KeyID()

	team.Rotate()
	fmt.Println("new key:", team.KeyID() != old)
	fmt.Println("old key published:", strings.Contains(string(team.Certs()), old))
	team.Withdraw()
	fmt.Println("old key published:", strings.Contains(string(team.Certs()), old))
	// Output:
	// new key: true
	// old key published: true
	// old key published: false
}

func ExampleTeam_SetGroups() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	team.SetGroups("ada@example.com", "engineers", "admins")

	request := httptest.NewRequest(http.MethodGet, "/cdn-cgi/access/get-identity", nil)
	request.AddCookie(&http.Cookie{Name: "CF_Authorization", Value: team.SignUser(exampleAudience, "ada@example.com")})
	recorder := httptest.NewRecorder()
	team.ServeHTTP(recorder, request)

	var identity struct {
		Email  string   `json:"email"`
		Groups []string `json:"groups"`
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &identity); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(identity.Email, identity.Groups)
	// Output: ada@example.com [engineers admins]
}

// claimsOf reads a token's claims without verifying it.
func claimsOf(token string) map[string]any {
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		panic(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		panic(err)
	}
	return claims
}
