package user

import (
	"net"

	"github.com/gofiber/fiber/v3"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/fiber3access"
)

func serve(listener net.Listener, verifier *core.Verifier) error {
	app := fiber.New()
	app.Use(fiber3access.New(verifier))
	app.Get("/", greet)
	return app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true})
}

func greet(c fiber.Ctx) error {
	claims, ok := fiber3access.Claims(c)
	if !ok {
		return fiber.ErrInternalServerError
	}
	return c.SendString(claims.Email)
}
