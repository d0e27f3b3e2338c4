package server

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// ask sends a request through Upstream and returns what the upstream received.
func ask(t *testing.T, address, target string, header ...string) *http.Request {
	t.Helper()
	received := make(chan *http.Request, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { received <- r }))
	defer app.Close()
	proxy, err := Upstream(app.URL, slog.New(slog.DiscardHandler), func(*httputil.ProxyRequest) {})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: proxy}
	go server.Serve(listener)
	defer server.Close()
	connection, err := net.Dial(listener.Addr().Network(), listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, "GET "+target+" HTTP/1.1\r\nHost: wiki.example.com\r\n"+strings.Join(append(header, "\r\n"), "\r\n")); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("status %d", response.StatusCode)
	}
	return <-received
}

func TestUpstreamGetsThePathAsItCame(t *testing.T) {
	for _, target := range []string{
		"/", "/a/b?c=d", "/a%2Fb", "/a%2Fb|c", "/a%2fb%7Cc", "/%61dmin", "/a//b", "//a/b", "/a;b=c?d;e&%", "/a b?"[:2] + "?", "/{a}^`\"", "/a?b?c",
	} {
		if got := ask(t, "127.0.0.1:0", target).RequestURI; strings.TrimSuffix(got, "?") != strings.TrimSuffix(target, "?") {
			t.Errorf("%q arrives as %q", target, got)
		}
	}
}

func TestUpstreamUpgradesToWebSocketOnly(t *testing.T) {
	for protocol, want := range map[string]string{
		"websocket": "websocket", "WebSocket": "WebSocket", "h2c": "", "h2c, websocket": "", "websocket, h2c": "", "TLS/1.0": "",
	} {
		header := ask(t, "127.0.0.1:0", "/", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__", "Upgrade: "+protocol).Header
		if got := header.Get("Upgrade"); got != want || (header.Get("Connection") == "") != (want == "") || header["Http2-Settings"] != nil {
			t.Errorf("%q arrives as %v", protocol, header)
		}
	}
}

func TestUpstreamLearnsWhoForwarded(t *testing.T) {
	socket := "unix:" + filepath.Join(t.TempDir(), "s")
	for address, want := range map[string]string{"127.0.0.1:0": "192.0.2.1, 127.0.0.1", socket: "192.0.2.1"} {
		header := ask(t, address, "/", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example").Header
		if header.Get("X-Forwarded-For") != want || header.Get("X-Forwarded-Proto") != "https" || header.Get("X-Forwarded-Host") != "wiki.example.com" {
			t.Errorf("%s: %v", address, header)
		}
	}
}

func TestUpstreamIsAServer(t *testing.T) {
	for _, rawURL := range []string{"", "127.0.0.1:3000", "http://", "http://a/base", "http://a?b", "http://a#b", "http://user:secret@a", "ftp://a", "http://a b"} {
		_, err := Upstream(rawURL, slog.New(slog.DiscardHandler), nil)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", rawURL, err)
		}
	}
}

func TestFoldName(t *testing.T) {
	for name, want := range map[string]string{
		"Remote-User": "remote-user", "REMOTE_USER": "remote-user", " Remote.User\t": "remote-user", "remote!user": "remote-user", "X1": "x1", "ſ": "-",
	} {
		if got := FoldName(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

func newProxy(t *testing.T, app *httptest.Server) *httptest.Server {
	t.Helper()
	proxy, err := Upstream(app.URL, slog.New(slog.DiscardHandler), func(*httputil.ProxyRequest) {})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server
}

// A reload makes new proxies, and must not leave the connections of the old ones.
func TestProxiesShareConnections(t *testing.T) {
	var connections atomic.Int64
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	app.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	app.Start()
	t.Cleanup(app.Close)
	for range 3 {
		response, err := http.Get(newProxy(t, app).URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
}

// A client that only sends no more must not read an empty page.
func TestNoAnswerForAClientThatIsGone(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(app.Close)
	connection, err := net.Dial("tcp", newProxy(t, app).Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(connection); len(answer) > 0 || err != nil {
		t.Errorf("answer %q, %v", answer, err)
	}
}
