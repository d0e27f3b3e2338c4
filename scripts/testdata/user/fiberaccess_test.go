package user

import (
	"net"

	"github.com/gofiber/fiber/v2"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/fiberaccess"
)

func serve(listener net.Listener, verifier *core.Verifier) error {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(fiberaccess.New(verifier))
	app.Get("/", greet)
	return app.Listener(listener)
}

func greet(c *fiber.Ctx) error {
	claims, ok := fiberaccess.Claims(c)
	if !ok {
		return fiber.ErrInternalServerError
	}
	return c.SendString(claims.Email)
}
