package core

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

const whereAudience = "copy the Application Audience (AUD) Tag from the application's page in Cloudflare's dashboard"

var (
	audienceForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	uuidForm     = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
)

// checkAudience returns an error for an AUD tag that no token can name: with it
// the server would start, and refuse every request.
func checkAudience(tag string) error {
	var looks string
	switch {
	case tag == "":
		return errors.New("the AUD tag is empty; " + whereAudience)
	case strings.ContainsFunc(tag, unicode.IsSpace):
		looks = "has space in it; give several tags as several values, in POLICY_AUD with commas between them"
	case strings.ContainsAny(tag, "\"'`"):
		looks = "has quotes in it"
	case strings.ContainsAny(tag, "[](){}<>"):
		looks = "has brackets in it"
	case strings.ContainsAny(tag, ",;"):
		looks = "looks like a list; give several tags as several values, in POLICY_AUD with commas between them"
	case uuidForm.MatchString(tag):
		looks = "looks like a UUID, such as an application's id"
	case !audienceForm.MatchString(tag) && audienceForm.MatchString(strings.ToLower(tag)):
		looks = "is in upper case, and AUD tags are compared exactly"
	default:
		return nil
	}
	return fmt.Errorf("%.100q %s; an AUD tag is 64 lower-case hex digits: %s", tag, looks, whereAudience)
}
