package main

import (
	"path/filepath"
	"runtime"
	"testing"
)

func TestDevKeepsKeysInTheUsersFolder(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("os.UserConfigDir reads XDG_CONFIG_HOME on Linux")
	}
	folder := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", folder)
	if got, want := newDevCommand().Flag("state").DefValue, filepath.Join(folder, "cfaccess", "dev.pem"); got != want {
		t.Errorf("the state file is %s, want %s", got, want)
	}
}
