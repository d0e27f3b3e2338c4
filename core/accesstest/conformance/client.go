package conformance

import (
	"bufio"
	"bytes"
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

// newClient returns a client that sends what it is told and changes nothing of
// what it receives.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       2 * patience,
	}
}

// An answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
	calls  int // of the handler
}

// inHeader and inCookie are the header fields of a request with these tokens,
// each in a field or a cookie of its own. Browsers send one Cookie line.
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

// with returns header and another field. The name is sent as it is spelled.
func with(header http.Header, name string, values ...string) http.Header {
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header[name] = values
	return header
}

// try sends a request. It may be called concurrently, but calls of the handler
// are told apart by nothing but time.
func (s *suite) try(to server, method, path string, header http.Header, body string) (answer, error) {
	request, err := http.NewRequest(method, to.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if header != nil {
		request.Header = header.Clone()
	}
	before := to.record.calls.Load()
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	received, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{response.StatusCode, response.Header, string(received), int(to.record.calls.Load() - before)}, nil
}

// send is try for a request that has to be answered. HEAD goes over a socket of
// its own: the client of net/http hides a body that should not be there.
func (s *suite) send(t *testing.T, to server, method, path string, header http.Header, body string) answer {
	t.Helper()
	try := s.try
	if method == http.MethodHead {
		try = tryRaw
	}
	got, err := try(to, method, path, header, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if got.status == http.StatusNotFound || got.status == http.StatusMethodNotAllowed {
		t.Fatalf("%s %s: got %d; the site needs that route, for that method", method, path, got.status)
	}
	return got
}

// tryRaw sends a request and returns every byte behind the header block, whether
// it belongs there or not.
func tryRaw(to server, method, path string, header http.Header, _ string) (answer, error) {
	before := to.record.calls.Load()
	conn, err := dial(to, method, path, with(header, "Connection", "close"))
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
	response.Body.Close()
	_, rest, _ := bytes.Cut(received, []byte("\r\n\r\n"))
	return answer{response.StatusCode, response.Header, string(rest), int(to.record.calls.Load() - before)}, nil
}

// withTrailer sends a POST whose chunked body ends in a forged email trailer.
func (s *suite) withTrailer(to server, header http.Header, announced bool) (answer, error) {
	header = with(with(header, "Transfer-Encoding", "chunked"), "Connection", "close")
	if announced {
		header = with(header, "Trailer", core.EmailHeader)
	}
	before := to.record.calls.Load()
	conn, err := dial(to, http.MethodPost, PathWhoAmI, header)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "4\r\nbody\r\n0\r\n%s: %s\r\n\r\n", core.EmailHeader, mallory); err != nil {
		return answer{}, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body), int(to.record.calls.Load() - before)}, err
}

// dial opens a connection and sends a request line and header fields. The
// connection lasts for as long as the suite's patience.
func dial(to server, method, path string, header http.Header) (net.Conn, error) {
	base, err := url.Parse(to.url)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("tcp", base.Host, patience)
	if err != nil {
		return nil, err
	}
	var block bytes.Buffer
	fmt.Fprintf(&block, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, base.Path+path, base.Host)
	if err = header.Write(&block); err == nil {
		block.WriteString("\r\n")
		if err = conn.SetDeadline(time.Now().Add(patience)); err == nil {
			_, err = conn.Write(block.Bytes())
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// seen sends a GET that must reach the handler, and returns what that saw.
func (s *suite) seen(t *testing.T, to server, path string, header http.Header) sighting {
	t.Helper()
	return sightingOf(t, s.send(t, to, http.MethodGet, path, header, ""))
}

func sightingOf(t *testing.T, got answer) sighting {
	t.Helper()
	saw, err := parseSighting(got)
	if err != nil {
		t.Fatal(err)
	}
	if got.calls != 1 {
		t.Errorf("the handler was called %d times by one request", got.calls)
	}
	return saw
}
