package fiberaccess_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/gofiber/fiber/v2"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/fiberaccess"
)

// A protected app, and in it a group for some people only.
func Example() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{audience}, Endpoint: team.URL})
	if err != nil {
		panic(err)
	}

	// The token comes twice: 4 KiB, the default, is too little for it.
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Get("/healthz", func(c *fiber.Ctx) error { return c.SendString("ok") })
	app.Use(fiberaccess.New(verifier))
	app.Get("/", func(c *fiber.Ctx) error {
		claims, _ := fiberaccess.Claims(c)
		return c.SendString("hello " + claims.Email)
	})
	admin := app.Group("/admin")
	admin.Use("/*", fiberaccess.Require(core.EmailDomains("example.com")))
	admin.Get("/", func(c *fiber.Ctx) error { return c.SendString("hello administrator") })

	visit := func(path, token string) {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set(core.TokenHeader, token)
		response, err := app.Test(r)
		if err != nil {
			panic(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			panic(err)
		}
		fmt.Println(response.StatusCode, string(body))
	}
	visit("/healthz", "")
	visit("/", team.SignUser(audience, "ada@example.com"))
	visit("/admin/", team.SignUser(audience, "ada@example.com"))
	visit("/admin/", team.SignUser(audience, "eve@elsewhere.example"))
	// Output:
	// 200 ok
	// 200 hello ada@example.com
	// 200 hello administrator
	// 403 {"type":"about:blank","title":"Forbidden","status":403,"detail":"You are signed in, but not allowed to do this.","code":"forbidden"}
}

// Refusals go to the app's own ErrorHandler.
func ExampleConfig_errorHandler() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{audience}, Endpoint: team.URL})
	if err != nil {
		panic(err)
	}

	protect := fiberaccess.New(verifier, fiberaccess.Config{
		ErrorHandler: func(_ *fiber.Ctx, err error) error { return err },
	})

	app := fiber.New(fiber.Config{
		ReadBufferSize: 16 << 10,
		ErrorHandler: func(c *fiber.Ctx, err error) error {
			for name, values := range core.Refuse(err).Header() {
				c.Set(name, values[0])
			}
			return c.Status(core.Refuse(err).Status).SendString(err.Error())
		},
	})
	app.Use(protect)
	response, err := app.Test(httptest.NewRequest(http.MethodGet, "/", nil))
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(response.StatusCode, string(body))
	// Output: 401 This needs a sign-in through Cloudflare Access.
}
