package conformance

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// The parts of a stream, a line each.
const (
	firstPart = "first\n"
	lastPart  = "last\n"
)

// patience is how long the suite and the handlers wait for each other.
const patience = 5 * time.Second

// WhoAmI is [Site.Report] for a framework on net/http: it answers r with what
// the handler sees.
func (s Site) WhoAmI(w http.ResponseWriter, r *http.Request, claims func() (*core.Claims, bool)) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "reading the body: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.Report(r.Context(), claims, r.Header, body)) // the suite misses what isn't written
}

// Stream writes the first part of an answer to w, flushes it and waits until the
// suite has seen it; then it writes the rest. For a framework on net/http, flush
// is the method of http.NewResponseController(w).
func (s Site) Stream(w io.Writer, flush func() error) {
	s.record.calls.Add(1)
	_, _ = io.WriteString(w, firstPart) // the suite misses what isn't written
	if err := flush(); err != nil {
		_, _ = fmt.Fprintf(w, "flush: %v\n", err)
		return
	}
	select {
	case <-s.record.gate:
	case <-time.After(2 * patience): // the suite has given up
	}
	_, _ = io.WriteString(w, lastPart)
}

// Upgrade takes over the connection of w with http.NewResponseController,
// answers with 101 (Connection: Upgrade, Upgrade: websocket) and calls
// [Site.Converse]. It is for a framework on net/http.
func (s Site) Upgrade(w http.ResponseWriter, _ *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "hijack: "+err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	s.Converse(struct {
		io.Reader
		io.Writer
	}{buffered, conn})
}

// Converse reads a line from an upgraded connection and sends it back.
func (s Site) Converse(conn io.ReadWriter) {
	s.record.calls.Add(1)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil {
		_, _ = io.WriteString(conn, line) // the suite misses what isn't written
	}
}
