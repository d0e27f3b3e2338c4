package conformance

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// handlers tests what an adapter must leave to the handler.
func (s *suite) handlers(t *testing.T) {
	check(t, "failure", "a handler's error, status and body pass unchanged", func(t *testing.T) {
		got := s.untouched(t, s.plain, PathFailure, PathBareFailure)
		if want := fmt.Sprint(FailureStatus); !strings.Contains(got, want) || !strings.Contains(got, FailureMessage) {
			t.Errorf("the handler should have failed with %s and %q: %s", want, FailureMessage, got)
		}
	})
	check(t, "panic", "a handler's panic reaches the framework's own recovery", func(t *testing.T) {
		if got := s.untouched(t, s.plain, PathPanic, PathBarePanic); got != cut && !strings.HasPrefix(got, "500") {
			t.Errorf("the handler should have panicked: %s", got)
		}
	})
	check(t, "body", "the request's method and body reach the handler", func(t *testing.T) {
		good := inHeader(s.team.SignUser(audience, ada))
		for path, caller := range map[string]string{PathWhoAmI: ada, PathRequired: ada, PathSkipped: anonymous} {
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch} {
				body := strings.Repeat(method+" to "+path+"\n", 4096)
				saw := reached(t, s.send(t, s.plain, method, path, good, body), caller)
				if string(saw.Body) != body {
					t.Errorf("%s %s: the handler read %d bytes, %.40q…, of %d", method, path, len(saw.Body), saw.Body, len(body))
				}
			}
		}
	})
	check(t, "form", "net/http's server finds a form that the handler parsed, and removes its file", func(t *testing.T) {
		const body = "--x\r\nContent-Disposition: form-data; name=file; filename=f\r\n\r\nbody\r\n--x--\r\n"
		header := with(inHeader(s.team.SignUser(audience, ada)), "Content-Length", fmt.Sprint(len(body)))
		header = with(with(header, "Content-Type", "multipart/form-data; boundary=x"), core.EmailHeader, forgedEmail)
		for path, caller := range map[string]string{PathWhoAmI: ada, PathNested: ada, PathSkipped: anonymous} {
			got, err := tryRaw(s.plain, http.MethodPost, path, header, body)
			if err != nil {
				t.Fatal(err)
			}
			if os.Remove(string(reached(t, got, caller).Body)) == nil {
				t.Errorf("POST %s: the file is still there", path)
			}
		}
	})
	check(t, "stream", "a handler's Flush reaches the client at once", s.stream)
	check(t, "upgrade", "a handler can take over the connection, as WebSocket does; the browser sends a cookie", s.upgrade)
	check(t, "upgrade refused", "a request to upgrade is refused like any other", func(t *testing.T) {
		forged := s.team.SignUser(audience, ada, accesstest.SignedByStranger())
		s.refuses(t, s.plain, PathUpgrade, with(upgradeHeader(), core.TokenHeader, forged), core.ErrSignature)
		s.refuses(t, s.plain, PathUpgrade, upgradeHeader(), core.ErrNoToken)
	})
}

// cut stands for a connection that ended without an answer.
const cut = "the connection was cut"

// untouched compares the answer of a protected route with that of the bare one,
// and returns the former.
func (s *suite) untouched(t *testing.T, to server, path, bare string) string {
	t.Helper()
	outcome := func(path string) string {
		got, err := try(s.client, to, http.MethodGet, path, inHeader(s.team.SignUser(audience, ada)), "")
		if err != nil {
			return cut
		}
		got.header.Del("Date")
		return fmt.Sprintf("%d %q %q", got.status, got.header, got.body)
	}
	got, want := outcome(path), outcome(bare)
	if got != want {
		t.Errorf("got %s; without the adapter %s", got, want)
	}
	return got
}

func (s *suite) stream(t *testing.T) {
	request, err := http.NewRequest(http.MethodGet, s.plain.url+PathStream, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = inHeader(s.team.SignUser(audience, ada))
	// The handler goes on once the first part was read, or when this timer ends.
	limit := time.AfterFunc(patience, s.plain.record.openGate)
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body := bufio.NewReader(response.Body)
	first, err := body.ReadString('\n')
	if !limit.Stop() {
		t.Errorf("the first part didn't come before the handler went on")
	}
	if err != nil || first != firstPart {
		t.Errorf("got %q, %v, want %q first", first, err, firstPart)
	}
	s.plain.record.openGate()
	if rest, err := io.ReadAll(body); err != nil || string(rest) != lastPart {
		t.Errorf("got %q, %v, want %q last", rest, err, lastPart)
	}
}

func upgradeHeader() http.Header {
	return http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {"dGhlIHNhbXBsZSBub25jZQ=="}, // RFC 6455 section 1.3
	}
}

func (s *suite) upgrade(t *testing.T) {
	header := with(upgradeHeader(), "Cookie", cookies(s.team.SignUser(audience, ada)))
	conn, err := dial(s.plain, http.MethodGet, PathUpgrade, header, "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(response.Body) // as much of it as there is
		t.Fatalf("got %d, want 101: %.300s", response.StatusCode, body)
	}
	const line = "over the upgraded connection\n"
	if _, err := io.WriteString(conn, line); err != nil {
		t.Fatal(err)
	}
	if got, err := reader.ReadString('\n'); err != nil || got != line {
		t.Errorf("sent %q, got back %q, %v", line, got, err)
	}
}
