package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/echoaccess"
	"github.com/cfaccess/cfaccess/fiberaccess"
	"github.com/cfaccess/cfaccess/ginaccess"
	"github.com/cfaccess/cfaccess/stdaccess"
)

// frameworks are those that have an adapter, in the order of the tables.
var frameworks = [...]string{"net/http", "gin", "echo", "fiber"}

// greeting is what every server answers.
const greeting = "hello\n"

// serveCommand is a server in a process of its own. It prints its address, and
// serves until stdin ends: it can't outlive who started it.
func serveCommand(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("bench serve", flag.ContinueOnError)
	framework := flags.String("framework", "net/http", "whose server")
	teamURL := flags.String("team", "", "where the team listens; without it the server is bare")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var verifier *core.Verifier
	if *teamURL != "" {
		var err error
		if verifier, err = newVerifier(ctx, *teamURL, nil); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("a socket for the server: %w", err)
	}
	failed := make(chan error, 1)
	go func() { failed <- serve(listener, *framework, verifier) }()
	fmt.Fprintln(stdout, listener.Addr())

	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, stdin)
		ended <- err
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("%s: %w", *framework, err)
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// serve answers every GET / with a greeting, behind the framework's adapter if
// verifier isn't nil.
func serve(listener net.Listener, framework string, verifier *core.Verifier) error {
	switch framework {
	case "net/http":
		return serveHTTP(listener, stdHandler(verifier))
	case "gin":
		return serveHTTP(listener, ginHandler(verifier))
	case "echo":
		return serveHTTP(listener, echoHandler(verifier))
	case "fiber":
		return fiberApp(verifier).Listener(listener)
	default:
		return errors.New("unknown framework")
	}
}

func serveHTTP(listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(listener)
}

func stdHandler(verifier *core.Verifier) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, greeting) })
	if verifier == nil {
		return mux
	}
	return stdaccess.New(verifier)(mux)
}

func ginHandler(verifier *core.Verifier) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	if verifier != nil {
		router.Use(ginaccess.New(verifier))
	}
	router.GET("/", func(c *gin.Context) { c.String(http.StatusOK, greeting) })
	return router
}

func echoHandler(verifier *core.Verifier) http.Handler {
	e := echo.New()
	if verifier != nil {
		e.Use(echoaccess.New(verifier))
	}
	e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, greeting) })
	return e
}

func fiberApp(verifier *core.Verifier) *fiber.App {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10, DisableStartupMessage: true})
	if verifier != nil {
		app.Use(fiberaccess.New(verifier))
	}
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString(greeting) })
	return app
}
