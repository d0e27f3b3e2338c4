package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// Config says whose tokens to accept, and how. Team and Audiences are
// required; the zero value of every other field means its default. [New]
// copies it and refuses a bad value by the field's name.
type Config struct {
	// Team is the team's name or domain: "acme", "acme.cloudflareaccess.com"
	// or "https://acme.cloudflareaccess.com/". FedRAMP teams give the domain,
	// "acme.fed.cloudflareaccess.com".
	Team string
	// Audiences are the AUD tags, of 64 lower-case hex digits, of the
	// applications that this server serves. A token for any of them is accepted.
	// At least one. A value that can't be an AUD tag, such as one with quotes,
	// is an error; one of another form is accepted with a WARN.
	Audiences []string
	// Endpoint is the URL under which /cdn-cgi/access/… is reached: https, or http
	// on loopback. Default: the team domain. The issuer of tokens stays the Team's.
	Endpoint string
	// HeaderOnly ignores the cookie: for an origin that is always behind the
	// edge, which sends the header with every request.
	HeaderOnly bool
	// Leeway is the clock difference allowed for exp, nbf and iat. 0 means
	// 30 seconds, negative means none. At most 5 minutes: RFC 7519 section
	// 4.1.4 wants no more than a few.
	Leeway time.Duration
	// RefreshInterval is the age at which keys are fetched again, in the
	// background. A request that finds them twice as old, in a process that was
	// idle, waits for the fetch. 0 means one hour.
	RefreshInterval time.Duration
	// MaxStale is how long the last good keys are used while fetching fails. 0 means
	// 24 hours or 2 × RefreshInterval, if longer. Otherwise at least RefreshInterval.
	MaxStale time.Duration
	// RefetchCooldown is the least time between fetches caused by unknown key
	// ids, so that made-up ones can't cause many requests to Access. While they
	// arrive, a new key may be refused for that long. 0 means 10 seconds.
	RefetchCooldown time.Duration
	// FetchTimeout bounds each fetch and wait. 0 means 5 seconds. At most a minute.
	FetchTimeout time.Duration
	// TokenCacheBytes is the memory for verified tokens, about 2 KiB each. The
	// heap may grow by up to twice as much. 0 means 16 MiB, negative means none.
	// At least 64 KiB otherwise.
	TokenCacheBytes int
	// IdentityTTL is the age at which a person's identity is fetched again, in the
	// background: see [Claims.Identity]. 0 means 5 minutes.
	IdentityTTL time.Duration
	// IdentityMaxStale is how long the last identity is used while Access can't be
	// asked. 0 means one hour or IdentityTTL, if longer. Otherwise at least IdentityTTL.
	IdentityMaxStale time.Duration
	// HTTPClient fetches keys and identities. It is copied; the copy follows no redirects.
	// Default, also for a nil Transport: a transport of its own with the proxy
	// of the environment, TLS 1.2 or newer, and HTTP/2. A transport must return
	// when the request's context ends: until it does, no other fetch begins.
	HTTPClient *http.Client
	// Logger gets failed fetches at WARN and refusals at DEBUG, never a token.
	// Default: slog.Default() as it is when New is called.
	Logger *slog.Logger
	// Hooks are optional callbacks for metrics and tracing.
	Hooks Hooks
}

// A smaller value is usually a number without its unit.
const leastDuration, leastTokenCacheBytes = time.Millisecond, 64 << 10

// FromEnv calls [ConfigFromEnv], [New] and [Verifier.Refresh]. It fails if the
// environment is wrong or Access can't be asked. A process that must start
// while Access is down calls ConfigFromEnv and New instead, and answers 503
// until the keys have been fetched.
func FromEnv(ctx context.Context) (*Verifier, error) {
	cfg, err := ConfigFromEnv()
	if err != nil {
		return nil, err
	}
	v, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if err := v.Refresh(ctx); err != nil {
		return nil, fmt.Errorf("cfaccess: the signing keys of TEAM_DOMAIN, %s: %w", v.Issuer(), err)
	}
	return v, nil
}

// ConfigFromEnv returns a Config with Team from TEAM_DOMAIN and Audiences from
// POLICY_AUD, the names in Cloudflare's samples. POLICY_AUD may hold several AUD
// tags, separated by commas. A variable that is missing, empty or malformed is
// an error that names it.
func ConfigFromEnv() (Config, error) {
	team := os.Getenv("TEAM_DOMAIN")
	if team == "" {
		return Config{}, errors.New("cfaccess: TEAM_DOMAIN is not set; it is your team's URL, such as https://acme.cloudflareaccess.com")
	}
	if _, err := parseTeam(team); err != nil {
		return Config{}, fmt.Errorf("cfaccess: TEAM_DOMAIN: %w", err)
	}
	var audiences []string
	for tag := range strings.SplitSeq(os.Getenv("POLICY_AUD"), ",") {
		if tag = strings.TrimSpace(tag); tag == "" {
			continue
		}
		if err := checkAudience(tag); err != nil {
			return Config{}, fmt.Errorf("cfaccess: POLICY_AUD: %w", err)
		}
		audiences = append(audiences, tag)
	}
	if len(audiences) == 0 {
		return Config{}, errors.New("cfaccess: POLICY_AUD is not set; " + whereAudience + ", several separated by commas")
	}
	return Config{Team: team, Audiences: audiences}, nil
}

// resolve returns the config with its defaults filled in, and the issuer; or an
// error that names the first field with a bad value.
func (c Config) resolve() (_ Config, issuer string, err error) {
	if issuer, err = parseTeam(c.Team); err != nil {
		return Config{}, "", fmt.Errorf("cfaccess: Config.Team: %w", err)
	}
	if c.Endpoint == "" {
		c.Endpoint = issuer
	} else if c.Endpoint, err = parseEndpoint(c.Endpoint); err != nil {
		return Config{}, "", fmt.Errorf("cfaccess: Config.Endpoint: %w", err)
	}
	if len(c.Audiences) == 0 {
		return Config{}, "", errors.New("cfaccess: Config.Audiences: at least one AUD tag is required; " + whereAudience)
	}
	c.Audiences = slices.Clone(c.Audiences)
	for i, tag := range c.Audiences {
		if err := checkAudience(tag); err != nil {
			return Config{}, "", fmt.Errorf("cfaccess: Config.Audiences[%d]: %w", i, err)
		}
	}
	if err := c.resolveNumbers(); err != nil {
		return Config{}, "", fmt.Errorf("cfaccess: Config.%w", err)
	}
	c.HTTPClient = newHTTPClient(c.HTTPClient)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, issuer, nil
}

// resolveNumbers fills in and checks the durations and the size of the cache.
func (c *Config) resolveNumbers() error {
	for _, field := range []struct {
		name           string
		value          *time.Duration
		fallback, most time.Duration
	}{
		{"Leeway", &c.Leeway, 30 * time.Second, 5 * time.Minute},
		{"RefreshInterval", &c.RefreshInterval, time.Hour, math.MaxInt64},
		{"MaxStale", &c.MaxStale, max(24*time.Hour, 2*c.RefreshInterval), math.MaxInt64},
		{"RefetchCooldown", &c.RefetchCooldown, 10 * time.Second, math.MaxInt64},
		{"IdentityTTL", &c.IdentityTTL, 5 * time.Minute, math.MaxInt64},
		{"IdentityMaxStale", &c.IdentityMaxStale, max(time.Hour, c.IdentityTTL), math.MaxInt64},
		{"FetchTimeout", &c.FetchTimeout, 5 * time.Second, time.Minute},
	} {
		switch {
		case *field.value == 0:
			*field.value = field.fallback
		case *field.value < 0 && field.value == &c.Leeway:
			*field.value = 0
		case *field.value < leastDuration:
			return fmt.Errorf("%s: %v is less than %v", field.name, *field.value, leastDuration)
		case *field.value > field.most:
			return fmt.Errorf("%s: %v is more than %v", field.name, *field.value, field.most)
		}
	}
	if c.MaxStale < c.RefreshInterval {
		return fmt.Errorf("MaxStale: %v is less than RefreshInterval, %v", c.MaxStale, c.RefreshInterval)
	}
	if c.IdentityMaxStale < c.IdentityTTL {
		return fmt.Errorf("IdentityMaxStale: %v is less than IdentityTTL, %v", c.IdentityMaxStale, c.IdentityTTL)
	}
	switch {
	case c.TokenCacheBytes == 0:
		c.TokenCacheBytes = 16 << 20
	case c.TokenCacheBytes > 0 && c.TokenCacheBytes < leastTokenCacheBytes:
		return fmt.Errorf("TokenCacheBytes: %d bytes is less than %d; give bytes, or a negative number for none", c.TokenCacheBytes, leastTokenCacheBytes)
	}
	return nil
}
