package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/cfaccess/cfaccess/core"
)

// A sighting is what a handler saw.
type sighting struct {
	Claims    *identity // from the adapter's Claims
	Context   *identity // from core.FromContext
	Emails    []string  // every value of core.EmailHeader, in any spelling
	Body      []byte    // of the request
	Complaint string    // what no handler should see

	Connection []string // the values of that field
}

// An identity is whom a handler took the caller for.
type identity struct {
	Email, CommonName, Subject, Token string
}

// sight looks whom a handler takes the caller for.
func sight(ctx context.Context, claims func() (*core.Claims, bool)) sighting {
	own, ok := claims()
	below, _ := core.FromContext(ctx)
	saw := sighting{Claims: identityOf(own), Context: identityOf(below)}
	if ok != (own != nil) {
		saw.Complaint = "the adapter's Claims must return true with claims, and false without"
	}
	return saw
}

func identityOf(c *core.Claims) *identity {
	if c == nil {
		return nil
	}
	return &identity{c.Email, c.CommonName, c.Subject, c.Token()}
}

// name says whom a handler took the caller for.
func (i *identity) name() string {
	switch {
	case i == nil:
		return "nobody"
	case i.Email != "":
		return i.Email
	default:
		return i.CommonName
	}
}

func (i *identity) same(other *identity) bool {
	return i == other || i != nil && other != nil && *i == *other
}

func (s sighting) same(other sighting) bool {
	return s.Claims.same(other.Claims) && s.Context.same(other.Context)
}

func (s sighting) String() string {
	return fmt.Sprintf("Claims returned %s, core.FromContext %s", s.Claims.name(), s.Context.name())
}

// parseSighting returns what the handler saw that gave the answer.
func parseSighting(got answer) (sighting, error) {
	var saw sighting
	if got.status != http.StatusOK {
		return saw, fmt.Errorf("the request must reach the handler; it was answered with %d: %.300s", got.status, got.body)
	}
	if err := json.Unmarshal([]byte(got.body), &saw); err != nil {
		return saw, fmt.Errorf("the answer isn't that of Site.Report: %w: %.300s", err, got.body)
	}
	if saw.Complaint != "" {
		return saw, errors.New(saw.Complaint)
	}
	return saw, nil
}
