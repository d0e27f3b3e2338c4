package dev

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// state is what outlives a restart. It is in a file that only its owner can read.
type state struct {
	path string // empty: nothing is kept
	team *accesstest.Team

	mu    sync.Mutex // mu guards saved.
	saved saved
}

type saved struct {
	Keys     string              `json:"keys"`     // PEM
	Sessions map[string]int64    `json:"sessions"` // the Unix time of their end, by the SHA-256 of their token
	Groups   map[string][]string `json:"groups"`   // that were typed at a login, by email
}

// openState reads the file, or makes it. A file that can't be read is an error
// and stays as it is.
func openState(path, issuer string) (*state, error) {
	s := &state{path: path}
	content, err := os.ReadFile(path)
	switch {
	case err == nil:
		if err := json.Unmarshal(content, &s.saved); err != nil {
			return nil, fmt.Errorf("state file %s: %w; delete it to begin with new keys", path, err)
		}
		if s.saved.Keys == "" {
			return nil, fmt.Errorf("state file %s: it has no keys; delete it to begin with new ones", path)
		}
	case path != "" && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("state file: %w", err)
	}
	if s.team, err = accesstest.NewLocalTeam(issuer, []byte(s.saved.Keys)); err != nil {
		return nil, fmt.Errorf("state file %s: %w; delete it to begin with new keys", path, err)
	}
	if s.saved.Sessions == nil {
		s.saved.Sessions = make(map[string]int64)
	}
	if s.saved.Groups == nil {
		s.saved.Groups = make(map[string][]string)
	}
	return s, s.change(func(*saved) {})
}

// change changes what is saved, and saves it: the file is always whole.
func (s *state) change(edit func(*saved)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(&s.saved)
	if s.path == "" {
		return nil
	}
	now := time.Now().Unix()
	maps.DeleteFunc(s.saved.Sessions, func(_ string, end int64) bool { return end <= now })
	s.saved.Keys = string(s.team.MarshalKeys())
	content, err := json.MarshalIndent(s.saved, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), s.path)
	}
	if err != nil {
		return fmt.Errorf("state file: %w", errors.Join(err, os.Remove(temporary.Name())))
	}
	return nil
}

// begin makes a token that was just signed a session, until its end.
func (s *state) begin(token string, end time.Time) error {
	return s.change(func(d *saved) { d.Sessions[hashOf(token)] = end.Unix() })
}

// end ends the session of a token.
func (s *state) end(token string) error {
	return s.change(func(d *saved) { delete(d.Sessions, hashOf(token)) })
}

// isLive reports whether a token's session was begun and not ended. It doesn't
// look at its expiry.
func (s *state) isLive(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, live := s.saved.Sessions[hashOf(token)]
	return live
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
