package dev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// openTeam makes the team, with the keys of the state file or new ones. A file that
// can't be read stays as it is.
func (s *Server) openTeam(issuer string) error {
	folder, err := os.UserConfigDir()
	if s.State == "" && err == nil && !strings.HasSuffix(s.Addr, ":0") {
		s.State = filepath.Join(folder, "cfaccess", "dev-"+issuer[strings.LastIndex(issuer, ":")+1:]+".pem")
	}
	keys, err := os.ReadFile(s.State)
	if s.EndSessions || errors.Is(err, fs.ErrNotExist) {
		keys, err = nil, nil
	}
	if err == nil {
		s.team, err = accesstest.NewLocalTeam(issuer, keys)
	}
	if err != nil {
		return fmt.Errorf("state file %s: %w; delete it to begin with new keys", s.State, err)
	}
	for _, p := range s.People {
		s.team.SetIdentity(p.Email, p.identity())
	}
	return s.saveKeys()
}

// saveKeys writes the state file, which is whole at any time.
func (s *Server) saveKeys() error {
	if s.State == "" {
		return nil
	}
	err := errors.Join(os.MkdirAll(filepath.Dir(s.State), 0o700), os.WriteFile(s.State+".new", s.team.MarshalKeys(), 0o600))
	if err != nil {
		return err
	}
	return os.Rename(s.State+".new", s.State)
}
