package core

import (
	"errors"
	"fmt"
	"log/slog"
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
	// Audiences are the AUD tags of the applications that this server serves.
	// A token for any of them is accepted. At least one.
	Audiences []string
	// Endpoint is the URL under which /cdn-cgi/access/… is reached: https, or
	// http on loopback only. Default: the team domain. It does not change the
	// issuer that tokens must name.
	Endpoint string
	// Leeway is the clock difference forgiven in exp, nbf and iat. 0 means
	// 30 seconds, negative means none. At most 5 minutes.
	Leeway time.Duration
	// RefreshInterval is the age at which keys are fetched again, behind the
	// request that notices. A request that finds them twice as old, in a
	// process that was idle, waits for the fetch. 0 means one hour.
	RefreshInterval time.Duration
	// MaxStale is how long the last good keys serve while fetching fails. 0
	// means 24 hours, or RefreshInterval if that is longer. If given, at
	// least RefreshInterval.
	MaxStale time.Duration
	// RefetchCooldown is the least time between fetches caused by unknown key
	// ids, so that made-up ones can't drive traffic to Access. While strangers
	// send those, a freshly rotated key may be refused for that long. 0 means
	// 10 seconds.
	RefetchCooldown time.Duration
	// FetchTimeout bounds a certs fetch, and any wait for one. 0 means 5
	// seconds.
	FetchTimeout time.Duration
	// TokenCacheSize is how many verified tokens are remembered, at about 2 KiB
	// each. 0 means 8192, negative means none.
	TokenCacheSize int
	// HTTPClient fetches the keys. Default: a plain http.Client. It is copied;
	// the copy follows no redirects.
	HTTPClient *http.Client
	// Logger gets failed fetches at WARN and refusals at DEBUG, never a token.
	// Default: slog.Default() as it is when New is called.
	Logger *slog.Logger
	// Hooks are optional callbacks for metrics and tracing.
	Hooks Hooks
}

const (
	defaultLeeway          = 30 * time.Second
	defaultRefreshInterval = time.Hour
	defaultMaxStale        = 24 * time.Hour
	defaultRefetchCooldown = 10 * time.Second
	defaultFetchTimeout    = 5 * time.Second
	defaultTokenCacheSize  = 8192
)

// A duration under leastDuration is a number that lacks its unit. RFC 7519
// section 4.1.4 wants a leeway of no more than a few minutes.
const (
	leastDuration = time.Millisecond
	mostLeeway    = 5 * time.Minute
)

// ConfigFromEnv returns a Config with Team from TEAM_DOMAIN and Audiences from
// POLICY_AUD, the names that Cloudflare's own samples use. POLICY_AUD may hold
// several AUD tags, separated by commas. A variable that is missing, empty or
// malformed is an error that names it.
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
		if tag = strings.TrimSpace(tag); tag != "" {
			audiences = append(audiences, tag)
		}
	}
	if len(audiences) == 0 {
		return Config{}, errors.New("cfaccess: POLICY_AUD is not set; it is the Application Audience (AUD) tag of your Access application, several separated by commas")
	}
	return Config{Team: team, Audiences: audiences}, nil
}

// resolve returns the config with its defaults filled in, or an error that
// names the first field with a bad value. Team and Endpoint are New's to parse.
func (c Config) resolve() (Config, error) {
	if len(c.Audiences) == 0 {
		return Config{}, errors.New("cfaccess: Config.Audiences: at least one AUD tag is required")
	}
	c.Audiences = slices.Clone(c.Audiences)
	for i, tag := range c.Audiences {
		if tag == "" || strings.TrimSpace(tag) != tag {
			return Config{}, fmt.Errorf("cfaccess: Config.Audiences[%d]: %q is empty or has space around it", i, tag)
		}
	}

	switch {
	case c.Leeway == 0:
		c.Leeway = defaultLeeway
	case c.Leeway < 0:
		c.Leeway = 0
	case c.Leeway < leastDuration, c.Leeway > mostLeeway:
		return Config{}, fmt.Errorf("cfaccess: Config.Leeway: %v is not between %v and %v", c.Leeway, leastDuration, mostLeeway)
	}
	if c.TokenCacheSize == 0 {
		c.TokenCacheSize = defaultTokenCacheSize
	}
	for _, field := range []struct {
		name     string
		value    *time.Duration
		fallback time.Duration
	}{
		{"RefreshInterval", &c.RefreshInterval, defaultRefreshInterval},
		{"MaxStale", &c.MaxStale, max(defaultMaxStale, c.RefreshInterval)},
		{"RefetchCooldown", &c.RefetchCooldown, defaultRefetchCooldown},
		{"FetchTimeout", &c.FetchTimeout, defaultFetchTimeout},
	} {
		if *field.value == 0 {
			*field.value = field.fallback
		}
		if *field.value < leastDuration {
			return Config{}, fmt.Errorf("cfaccess: Config.%s: %v is less than %v", field.name, *field.value, leastDuration)
		}
	}
	if c.MaxStale < c.RefreshInterval {
		return Config{}, fmt.Errorf("cfaccess: Config.MaxStale: %v is less than RefreshInterval, %v", c.MaxStale, c.RefreshInterval)
	}

	var client http.Client
	if c.HTTPClient != nil {
		client = *c.HTTPClient
	}
	// A redirect from the certs endpoint is never right; following one would
	// take keys from a host that nobody named.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.HTTPClient = &client

	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}
