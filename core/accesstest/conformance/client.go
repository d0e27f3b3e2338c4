package conformance

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// newClient returns a client that changes nothing of what it sends and receives.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableCompression: true,
			ForceAttemptHTTP2:  true,
			TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, // the certificate of a test on loopback
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       2 * patience,
	}
}

// An answer is what a request got.
type answer struct {
	status int
	proto  string
	header http.Header
	body   string
	calls  int // of the handler
}

// inHeader and inCookie are the headers of a request with these tokens, each in a
// field or a cookie of its own.
func inHeader(tokens ...string) http.Header {
	return http.Header{core.TokenHeader: tokens}
}

func inCookie(tokens ...string) http.Header {
	return http.Header{"Cookie": {cookies(tokens...)}}
}

func cookies(tokens ...string) string {
	pairs := make([]string, len(tokens))
	for i, token := range tokens {
		pairs[i] = core.TokenCookie + "=" + token
	}
	return strings.Join(pairs, "; ")
}

// with returns header and another field. The name is sent in its spelling here.
func with(header http.Header, name string, values ...string) http.Header {
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header[name] = values
	return header
}

// try sends a request with the client. Of requests at the same time it counts the
// calls of the handler together.
func try(client *http.Client, to server, method, path string, header http.Header, body string) (answer, error) {
	request, err := http.NewRequest(method, to.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if header != nil {
		request.Header = header.Clone()
	}
	before := to.record.calls.Load()
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	received, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Proto, response.Header, string(received), int(to.record.calls.Load() - before)}, err
}

// send is try for a request that must be answered. HEAD goes over a connection of
// its own, since net/http's client hides a body that should not be there.
func (s *suite) send(t *testing.T, to server, method, path string, header http.Header, body string) answer {
	t.Helper()
	var got answer
	var err error
	if method == http.MethodHead {
		got, err = tryRaw(to, method, path, header, "")
	} else {
		got, err = try(s.client, to, method, path, header, body)
	}
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if got.status == http.StatusNotFound || got.status == http.StatusMethodNotAllowed {
		t.Fatalf("%s %s: got %d; the app needs that route, for that method", method, path, got.status)
	}
	return got
}

// get is send for GET.
func (s *suite) get(t *testing.T, to server, path string, header http.Header) answer {
	t.Helper()
	return s.send(t, to, http.MethodGet, path, header, "")
}

// tryRaw sends a request with these bytes for a body over a connection of its own.
// For HEAD the answer's body is every byte behind the header.
func tryRaw(to server, method, path string, header http.Header, body string) (answer, error) {
	before := to.record.calls.Load()
	conn, err := dial(to, method, path, with(header, "Connection", "close"), body)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	received, err := io.ReadAll(conn)
	if err != nil {
		return answer{}, err
	}
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(received)), &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	_, rest, _ := bytes.Cut(received, []byte("\r\n\r\n"))
	if method != http.MethodHead {
		rest, err = io.ReadAll(response.Body)
	}
	return answer{response.StatusCode, response.Proto, response.Header, string(rest), int(to.record.calls.Load() - before)}, err
}

// dial opens a connection that lasts for the suite's patience, and sends a request.
func dial(to server, method, path string, header http.Header, body string) (net.Conn, error) {
	base, err := url.Parse(to.url)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("tcp", base.Host, patience)
	if err != nil {
		return nil, err
	}
	var request bytes.Buffer
	fmt.Fprintf(&request, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, base.Path+path, base.Host)
	err = header.Write(&request)
	request.WriteString("\r\n" + body)
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(patience))
	}
	if err == nil {
		_, err = conn.Write(request.Bytes())
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
