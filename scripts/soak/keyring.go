package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// A keyring knows since when the team's keys are published. It is safe for
// concurrent use.
type keyring struct {
	mu    sync.Mutex // guards since
	since map[string]time.Time
}

func newKeyring() *keyring { return &keyring{since: make(map[string]time.Time)} }

// add says that a key is published. The first time counts.
func (k *keyring) add(kid string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.since[kid]; !ok {
		k.since[kid] = now
	}
}

// published returns since when a key is published at the latest, or the zero
// time for one that never was.
func (k *keyring) published(kid string) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.since[kid]
}

// kidOf returns the key id that a token names.
func kidOf(raw string) string {
	segment, _, _ := strings.Cut(raw, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return ""
	}
	var header struct{ Kid string }
	if err := json.Unmarshal(decoded, &header); err != nil {
		return ""
	}
	return header.Kid
}
