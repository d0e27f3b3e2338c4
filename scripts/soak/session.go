package main

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Whom the servers work for. An AUD tag is 64 hex digits.
const (
	teamName     = "acme"
	audience     = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"
	adminDomain  = "admins.example"
	memorySize   = 512 // tokens that a server remembers
	people       = 700 // of whom every tenth is an administrator
	services     = 60
	shortLived   = 40 // sessions that end during the run
	shortestLife = 3 * time.Second
)

// A token is good, or was once. It never changes.
type token struct {
	raw      string
	kid      string
	greeting string // the body of an answer to its owner
	admin    bool
	expires  time.Time // exp
}

// A session is somebody's: its token is replaced when it is no good any more.
type session struct {
	email   string        // of a person
	service string        // the Client ID of a service
	admin   bool          // may see /admin
	life    time.Duration // of a token; 0: a day, which no run lasts
	token   atomic.Pointer[token]
}

// newSessions returns the sessions, those of most requests first.
func newSessions() (users, bots, short []*session) {
	person := func(i int, name string, life time.Duration) *session {
		s := &session{email: fmt.Sprintf("%s%03d@example.com", name, i), life: life}
		if i%10 == 0 {
			s.email, s.admin = fmt.Sprintf("%s%03d@%s", name, i, adminDomain), true
		}
		return s
	}
	for i := range people {
		users = append(users, person(i, "person", 0))
	}
	for i := range services {
		bots = append(bots, &session{service: fmt.Sprintf("bot%03d.access", i)})
	}
	for i := range shortLived {
		short = append(short, person(i, "guest", shortestLife+time.Duration(i%4)*time.Second))
	}
	return users, bots, short
}

// greeting is what GET / answers the owner of a session's token.
func (s *session) greeting() string {
	if s.service != "" {
		return fmt.Sprintf("You are the service %s.\n", s.service)
	}
	return fmt.Sprintf("You are %s.\n", s.email)
}
