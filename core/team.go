package core

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

const accessDomain = "cloudflareaccess.com"

// parseTeam returns the issuer of the team that s names, in any of the forms
// that people paste. An issuer is the team domain as an https URL without a
// trailing slash, or the URL of a local Access.
func parseTeam(s string) (issuer string, err error) {
	host := strings.ToLower(strings.TrimSpace(s))
	if u, err := url.Parse(host); err == nil && u.Scheme == "http" && isLoopback(u.Hostname()) && strings.Trim(u.Path, "/") == "" {
		return parseEndpoint(host)
	}
	host = strings.TrimPrefix(host, "https://")
	host = strings.TrimSuffix(host, "/")

	name, isDomain := strings.CutSuffix(host, "."+accessDomain)
	if isDomain {
		name = strings.TrimSuffix(name, ".fed")
	} else {
		host += "." + accessDomain
	}
	if !label.MatchString(name) {
		return "", fmt.Errorf("%q is not a team: want a name such as acme, or its domain such as https://acme.%s", s, accessDomain)
	}
	return "https://" + host, nil
}

// label is a label of a domain name, in lower case (RFC 1123 section 2.1).
var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// parseEndpoint checks a Config.Endpoint and returns it without a trailing slash.
// Keys over http could be forged, so that is for tests on this machine.
func parseEndpoint(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", errors.New("not a URL") // err repeats all of it, a password too
	}
	switch {
	case u.Host == "" || u.Hostname() == "":
		return "", fmt.Errorf("%q is not an absolute URL", s)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fmt.Errorf("%q: user, query and fragment have no place here", u.Redacted())
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), certsPath):
		return "", fmt.Errorf("%q: give the URL in front of %s", s, certsPath)
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return strings.TrimRight(u.String(), "/"), nil
	default:
		return "", fmt.Errorf("%q: want https, or http on loopback", s)
	}
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}
