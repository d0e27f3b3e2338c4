package core_test

import (
	"context"
	"fmt"

	"github.com/cfaccess/cfaccess/core"
)

// Callers as Access describes them.
var (
	ada    = &core.Claims{Email: "ada@example.com", Country: "DE"}
	eve    = &core.Claims{Email: "eve@elsewhere.example", Country: "XX"}
	deploy = &core.Claims{CommonName: "e367826f93b8d71185e03fe518aff3b4.access"}
)

// allowedBy says whom the policy lets pass, of ada, eve and deploy.
func allowedBy(policy core.Policy) (names []string) {
	for _, caller := range []struct {
		name   string
		claims *core.Claims
	}{{"ada", ada}, {"eve", eve}, {"deploy", deploy}} {
		if policy(context.Background(), caller.claims) == nil {
			names = append(names, caller.name)
		}
	}
	return names
}

func ExampleAllOf() {
	fmt.Println(allowedBy(core.AllOf(core.Users(), core.Countries("DE", "FR"))))
	// Output: [ada]
}

func ExampleAnyOf() {
	fmt.Println(allowedBy(core.AnyOf(core.Emails("eve@elsewhere.example"), core.Services())))
	// Output: [eve deploy]
}

func ExampleNot() {
	fmt.Println(allowedBy(core.Not(core.Countries("XX"))))
	// Output: [ada deploy]
}

func ExampleUsers() {
	fmt.Println(allowedBy(core.Users()))
	// Output: [ada eve]
}

// With no argument any service token passes, with Client IDs only those.
func ExampleServices() {
	fmt.Println(allowedBy(core.Services()))
	fmt.Println(allowedBy(core.Services("another.access")))
	// Output:
	// [deploy]
	// []
}

func ExampleEmails() {
	fmt.Println(allowedBy(core.Emails("Ada@Example.com")))
	// Output: [ada]
}

// A subdomain is another domain.
func ExampleEmailDomains() {
	fmt.Println(allowedBy(core.EmailDomains("example.com")))
	fmt.Println(allowedBy(core.EmailDomains("example")))
	// Output:
	// [ada]
	// []
}

func ExampleCountries() {
	fmt.Println(allowedBy(core.Countries("DE")))
	// Output: [ada]
}

// One server, two applications at Access: each route takes the tokens of one.
func ExampleAudience() {
	forWiki := &core.Claims{Email: "ada@example.com"}
	forWiki.Audience = []string{testAudience}
	payroll := core.Audience(otherAudience)
	fmt.Println(payroll(context.Background(), forWiki) == nil)
	// Output: false
}
