package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// An origin is a protected server on loopback, with the team whose tokens it
// takes. It has fetched no keys yet when it starts.
type origin struct {
	team     *accesstest.Team
	verifier *core.Verifier
	client   *http.Client
	url      string
	server   *http.Server
	served   chan struct{} // closed when the server has stopped
}

// startOrigin starts a server on a port of its own. The caller closes it.
func startOrigin(team *accesstest.Team, verifier *core.Verifier, handler http.Handler, client *http.Client) (*origin, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting a server: %w", err)
	}
	o := &origin{
		team:     team,
		verifier: verifier,
		client:   client,
		url:      "http://" + listener.Addr().String(),
		server:   &http.Server{Handler: handler},
		served:   make(chan struct{}),
	}
	go func() {
		defer close(o.served)
		_ = o.server.Serve(listener) // if it ends early, requests fail and say so
	}()
	return o, nil
}

func (o *origin) close() {
	_ = o.server.Close() // nothing is under way any more
	<-o.served
}

// get sends a request and returns what was answered.
func (o *origin) get(ctx context.Context, path string, header http.Header) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url+path, nil)
	if err != nil {
		return answer{}, err
	}
	request.Header = header
	response, err := o.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, fmt.Errorf("GET %s: %w", path, err)
	}
	return readAnswer(response, body), nil
}

// answer is what the table compares of a response.
type answer struct {
	status     int
	text       string // the code of a problem document, else the body in one line
	retryAfter string // the Retry-After header
}

func readAnswer(response *http.Response, body []byte) answer {
	a := answer{
		status:     response.StatusCode,
		text:       strings.Join(strings.Fields(string(body)), " "),
		retryAfter: response.Header.Get("Retry-After"),
	}
	mediaType, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/problem+json" {
		return a
	}
	var problem struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(body, &problem); err == nil && problem.Code != "" {
		a.text = problem.Code
	}
	return a
}

func (a answer) String() string {
	s := fmt.Sprintf("%d %.60s", a.status, a.text)
	if a.retryAfter != "" {
		s += ", Retry-After: " + a.retryAfter
	}
	return s
}
