package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// A machine is where the figures come from.
type machine struct {
	CPU   string
	Cores int
	Go    string
	OS    string
	Load  string // how many processes wanted a core when the run began, over 1, 5 and 15 minutes
}

// thisMachine describes the machine as well as its system lets it.
func thisMachine() machine {
	m := machine{
		CPU: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version(),
		OS: runtime.GOOS + "/" + runtime.GOARCH, Load: "unknown",
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, ok := strings.Cut(string(info), "model name"); ok {
			line, _, _ := strings.Cut(after, "\n")
			m.CPU = strings.TrimSpace(strings.TrimLeft(line, "\t :"))
		}
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		if fields := strings.Fields(string(load)); len(fields) >= 3 {
			m.Load = strings.Join(fields[:3], ", ")
		}
	}
	return m
}

// compared are the modules whose versions matter to the reader.
var compared = [...]string{
	"github.com/golang-jwt/jwt/v5",
	"github.com/MicahParks/keyfunc/v3",
	"github.com/MicahParks/jwkset",
	"github.com/coreos/go-oidc/v3",
	"github.com/lestrrat-go/jwx/v3",
	"github.com/auth0/go-jwt-middleware/v3",
	"github.com/maypok86/otter/v2",
	"github.com/gin-gonic/gin",
	"github.com/labstack/echo/v4",
	"github.com/gofiber/fiber/v2",
	"gonum.org/v1/plot",
}

// versions returns the compared modules as they are linked into this program.
func versions() []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	var found []string
	for _, path := range compared {
		i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == path })
		if i >= 0 {
			found = append(found, fmt.Sprintf("%s %s", path, info.Deps[i].Version))
		}
	}
	return found
}
