package dev

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// state is what a restart keeps, in a file that only its owner can read.
type state struct {
	path   string // empty: nothing is kept
	team   *accesstest.Team
	logger *slog.Logger

	mu         sync.Mutex                // mu guards the fields below.
	Keys       string                    // PEM
	Sessions   map[string]int64          // when they end, in Unix time, by the SHA-256 of their token
	Identities map[string]map[string]any // of people who logged in, by email
}

// openState reads the file, or makes it. A file that can't be read stays as it is.
func openState(o Options, people []person, issuer string) (*state, error) {
	s := &state{path: o.State, logger: o.Logger, Sessions: map[string]int64{}, Identities: map[string]map[string]any{}}
	folder, err := os.UserConfigDir()
	if port := issuer[strings.LastIndex(issuer, ":")+1:]; s.path == "" && err == nil && !strings.HasSuffix(o.Addr, ":0") {
		s.path = filepath.Join(folder, "cfaccess", "dev-"+port+".json")
	}
	content, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		content, err = []byte("{}"), nil
	}
	if err == nil {
		err = json.Unmarshal(content, s)
	}
	if err == nil && (s.Sessions == nil || s.Identities == nil) {
		err = errors.New("sessions are null")
	}
	if err == nil {
		s.team, err = accesstest.NewLocalTeam(issuer, []byte(s.Keys))
	}
	if err != nil {
		return nil, fmt.Errorf("state file %s: %w; delete it to begin with new keys", s.path, err)
	}
	for email, members := range s.Identities {
		s.team.SetIdentity(email, members)
	}
	for _, p := range people {
		s.team.SetIdentity(p.Email, p.identity())
	}
	return s, s.save()
}

// change calls edit, which may change what mu guards, and saves the state.
func (s *state) change(edit func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit()
	now := time.Now().Unix()
	maps.DeleteFunc(s.Sessions, func(_ string, end int64) bool { return end <= now })
	if err := s.save(); err != nil {
		s.logger.Error("a restart will end sessions", slog.Any("error", err))
	}
}

// save writes the file, which is whole at any time.
func (s *state) save() error {
	if s.path == "" {
		return nil
	}
	s.Keys = string(s.team.MarshalKeys())
	content, err := json.MarshalIndent(s, "", "  ")
	err = errors.Join(err, os.MkdirAll(filepath.Dir(s.path), 0o700), os.WriteFile(s.path+".new", content, 0o600))
	if err == nil {
		err = os.Rename(s.path+".new", s.path)
	}
	return err
}

// isLive reports whether a login made this token and no logout ended it.
func (s *state) isLive(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Sessions[hashOf(token)] > 0
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
