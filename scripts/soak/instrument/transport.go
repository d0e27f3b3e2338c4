package instrument

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/cfaccess/cfaccess/core"
)

// A transport marks each certs fetch with the server's name and a number, and
// writes to the journal when it begins and when it has landed.
type transport struct {
	name    string
	journal *journal
	base    http.RoundTripper

	fetches atomic.Int64
	open    atomic.Int64
	taken   atomic.Int64 // of the body of the last fetch
}

func newTransport(name string, j *journal) *transport {
	return &transport{name: name, journal: j, base: &http.Transport{}}
}

func (t *transport) client() *http.Client { return &http.Client{Transport: t} }

// RoundTrip makes a transport an http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	number := t.fetches.Add(1)
	atOnce := t.open.Add(1)
	t.taken.Store(0)
	t.journal.write(Event{Kind: Begun, Fetch: int(number), AtOnce: int(atOnce)})

	request = request.Clone(request.Context())
	request.Header.Set(ServerHeader, t.name)
	request.Header.Set(FetchHeader, strconv.FormatInt(number, 10))
	response, err := t.base.RoundTrip(request)
	if err != nil {
		t.open.Add(-1)
		return nil, err
	}
	response.Body = &countedBody{ReadCloser: response.Body, transport: t}
	return response, nil
}

// landed is core's hook. Core calls it when the outcome is in force already, so
// a request that is sent after this line was read sees it for certain.
func (t *transport) landed(_ context.Context, e core.Fetch) {
	event := Event{Kind: Landed, Fetch: int(t.fetches.Load()), Reason: e.Reason, Bytes: t.taken.Load()}
	if e.Err != nil {
		event.Err = e.Err.Error()
	}
	t.journal.write(event)
}

// A countedBody counts what is read, and ends a fetch when it is closed.
type countedBody struct {
	io.ReadCloser
	transport *transport
	closed    atomic.Bool
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.transport.taken.Add(int64(n))
	return n, err
}

func (b *countedBody) Close() error {
	if b.closed.CompareAndSwap(false, true) {
		b.transport.open.Add(-1)
	}
	return b.ReadCloser.Close()
}
