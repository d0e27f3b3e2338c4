package conformance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// The parts of a stream, a line each.
const firstPart, lastPart = "first\n", "last\n"

// patience is how long the suite and the handlers wait for each other.
const patience = 5 * time.Second

// Serve starts a server for h, with HTTP/2 if the App asks for it, and returns its
// URL. It is for a framework on net/http. The server runs until t ends.
func (a App) Serve(t *testing.T, h http.Handler) (url string) {
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handlers that panic
	if server.EnableHTTP2 = a.HTTP2; a.HTTP2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server.URL
}

// WhoAmI answers r with [App.Report], for a framework on net/http. contexts are
// those of the View beside r's.
func (a App) WhoAmI(w http.ResponseWriter, r *http.Request, claims func() (*core.Claims, bool), contexts ...context.Context) {
	body, err := readBody(r)
	if err != nil {
		http.Error(w, "reading the body: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// Write errors of the handlers show in what the suite receives.
	_, _ = w.Write(a.Report(View{claims, append(contexts, r.Context()), r.Header, body}))
}

// readBody returns the body of r, or the file in which net/http keeps its form's.
func readBody(r *http.Request) ([]byte, error) {
	if r.ParseMultipartForm(0) != nil {
		return io.ReadAll(r.Body)
	}
	file, _, _ := r.FormFile("file") // the suite sends one
	return []byte(file.(*os.File).Name()), file.Close()
}

// Stream writes the first part of an answer to w, flushes it and waits until the
// suite has read it. Then it writes the rest. For a framework on net/http, flush
// is the method of http.NewResponseController(w).
func (a App) Stream(w io.Writer, flush func() error) {
	a.record.calls.Add(1)
	_, _ = io.WriteString(w, firstPart)
	if err := flush(); err != nil {
		_, _ = fmt.Fprintf(w, "flush: %v\n", err)
		return
	}
	select {
	case <-a.record.gate:
	case <-time.After(2 * patience): // the suite has given up
	}
	_, _ = io.WriteString(w, lastPart)
}

// Upgrade takes over the connection of w, answers with 101 (Connection: Upgrade,
// Upgrade: websocket) and calls [App.Converse]. It is for a framework on net/http.
func (a App) Upgrade(w http.ResponseWriter, _ *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "hijack: "+err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	a.Converse(struct {
		io.Reader
		io.Writer
	}{buffered, conn})
}

// Converse reads a line from an upgraded connection and sends it back.
func (a App) Converse(conn io.ReadWriter) {
	a.record.calls.Add(1)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil {
		_, _ = io.WriteString(conn, line)
	}
}
