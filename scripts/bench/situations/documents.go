package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// sessionRequests is how many requests a session has after a bad document.
const sessionRequests = 20

func emptyAtRefresh(ctx context.Context, s *scene) string {
	s.serveOnce("{}")
	t := s.busy(ctx, s.session, s.patience(), func(tally) bool { return s.fetches() > 0 })
	// Shorter than the interval: the next refresh brings the keys back.
	t.add(s.busy(ctx, s.session, s.size.Refresh/2, func(tally) bool { return false }))
	return s.judged(t.refused == 0)
}

func emptyFromRefreshOn(ctx context.Context, s *scene) string {
	s.team.Serve("{}")
	return s.keepsOn(ctx)
}

func downFromRefreshOn(ctx context.Context, s *scene) string {
	s.team.Fail(http.StatusInternalServerError)
	return s.keepsOn(ctx)
}

func emptyOnceForKid(ctx context.Context, s *scene) string {
	s.serveOnce("{}")
	return s.afterMadeUpKid(ctx)
}

func emptyFromKidOn(ctx context.Context, s *scene) string {
	s.team.Serve("{}")
	return s.afterMadeUpKid(ctx)
}

// afterMadeUpKid sends a token with a made-up kid, and returns what becomes of
// a session then.
func (s *scene) afterMadeUpKid(ctx context.Context) string {
	s.accepts(ctx, s.sign(madeUpKid(0)))
	s.settle(ctx)
	var t tally
	for range sessionRequests {
		t.count(s.accepts(ctx, s.session))
	}
	return s.judged(t.refused == 0)
}

// largeBody answers every certs request with a document that is too large. How
// much of it is read is of the first.
func largeBody(ctx context.Context, s *scene) string {
	const slow = 16 << 20
	var begun atomic.Bool
	read := make(chan int, 1)
	s.team.Handle(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if begun.Swap(true) {
			writeLarge(ctx, w, s.size.Body, 0)
			return
		}
		// Slowly at first, or what a reader leaves unread counts as well: the
		// buffers of a connection take megabytes.
		read <- writeLarge(ctx, w, s.size.Body, slow)
	}))
	refused := func(t tally) bool { return t.refused > 0 }
	t := s.busy(ctx, s.session, s.patience(), func(t tally) bool { return refused(t) || s.fetches() > 0 })
	if s.fetches() == 0 {
		t.count(s.accepts(ctx, s.session))
		s.accepts(ctx, s.sign(madeUpKid(0)))
		s.settle(ctx)
	}
	if s.fetches() == 0 {
		return s.judged(t.refused == 0)
	}
	var written int
	select {
	case written = <-read:
	case <-ctx.Done():
	}
	t.add(s.busy(ctx, s.session, s.size.Digest, refused))
	return fmt.Sprintf("%s read, %s", megabytes(written, s.size.Body), verdict(t.refused == 0))
}

// writeLarge writes a JSON object of about so many bytes, until its reader has
// gone or ctx ends, and returns how many it could write. It takes its time over
// the first slow bytes.
func writeLarge(ctx context.Context, w io.Writer, bytes, slow int) int {
	written := 0
	write := func(text string) bool {
		n, err := io.WriteString(w, text)
		written += n
		return err == nil && ctx.Err() == nil
	}
	padding := strings.Repeat("x", 64<<10)
	ok := write(`{"padding":"`)
	for ok && written < bytes {
		if written < slow {
			pause(ctx, time.Millisecond)
		}
		ok = write(padding)
	}
	if ok {
		write(`"}`)
	}
	return written
}

func megabytes(n, all int) string {
	if n >= all {
		return "all of it"
	}
	return fmt.Sprintf("%d MB", max(1, n>>20))
}

func unknownTypeNewProcess(ctx context.Context, s *scene) string {
	s.team.Serve(withUnknownType(s.team.Certs()))
	ctx, cancel := context.WithTimeout(ctx, s.size.Start)
	defer cancel()
	err := s.start(ctx, 0)
	if errors.Is(err, errNotStarted) {
		return "does not start"
	}
	return verdict(err == nil)
}

func unknownTypeRunning(ctx context.Context, s *scene) string {
	s.team.Rotate()
	s.team.Serve(withUnknownType(s.team.Certs()))
	t := s.busy(ctx, s.sign(), s.patience(), func(t tally) bool { return t.accepted > 0 })
	before, after := verdict(s.accepts(ctx, s.session)), verdict(t.accepted > 0)
	if before == after {
		return "both " + before
	}
	return fmt.Sprintf("old key %s, new key %s", before, after)
}

// withUnknownType returns a certs document with one more key, the first.
func withUnknownType(certs []byte) string {
	var document map[string]any
	if err := json.Unmarshal(certs, &document); err != nil {
		panic(fmt.Sprintf("the fake team's certs document: %v", err))
	}
	odd := map[string]any{"kid": strings.Repeat("f", 64), "kty": "AKP", "alg": "ML-DSA-44", "use": "sig", "pub": strings.Repeat("A", 1750)}
	document["keys"] = append([]any{odd}, document["keys"].([]any)...)
	changed, err := json.Marshal(document)
	if err != nil {
		panic(fmt.Sprintf("the changed certs document: %v", err))
	}
	return string(changed)
}
