package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"time"
)

// An answer is what the endpoint does with a fetch during a fault. over is
// closed when the fault is.
type answer func(x *exchange, fault string, over <-chan struct{})

const (
	hugeBody  = 200 << 20
	dripEvery = 20 * time.Millisecond
)

// oddKeys are keys that a verifier can't use, and must not stumble over.
const oddKeys = `{"keys":[` +
	`{"kid":"aa11","kty":"EC","crv":"P-256","alg":"ES256","use":"sig","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},` +
	`{"kid":"bb22","kty":"ML-DSA","alg":"ML-DSA-44","pub":"AAAA"},`

func answerOddKeys(x *exchange, fault string, _ <-chan struct{}) {
	x.document(fault, func(document []byte) []byte {
		return bytes.Replace(document, []byte(`{"keys":[`), []byte(oddKeys), 1)
	})
}

func answerHang(x *exchange, fault string, over <-chan struct{}) {
	select {
	case <-over:
		x.document(fault, nil)
	case <-x.r.Context().Done():
		x.bad(fault)
	}
}

// answerDrip sends the document so slowly that it is never whole.
func answerDrip(x *exchange, fault string, over <-chan struct{}) {
	x.bad(fault)
	ticker := time.NewTicker(dripEvery)
	defer ticker.Stop()
	for _, b := range x.endpoint.team.Certs() {
		_, _ = x.w.Write([]byte{b}) // if the server is gone, so is the context
		_ = http.NewResponseController(x.w).Flush()
		select {
		case <-ticker.C:
		case <-over:
			panic(http.ErrAbortHandler)
		case <-x.r.Context().Done():
			return
		}
	}
}

func answerError(x *exchange, fault string, _ <-chan struct{}) {
	x.bad(fault)
	// A good document all the same: the status has to be looked at.
	x.w.WriteHeader(http.StatusInternalServerError)
	_, _ = x.w.Write(x.endpoint.team.Certs())
}

func answerEmpty(x *exchange, fault string, _ <-chan struct{}) {
	x.bad(fault)
	_, _ = io.WriteString(x.w, "{}")
}

func answerPage(x *exchange, fault string, _ <-chan struct{}) {
	x.bad(fault)
	_, _ = io.WriteString(x.w, "<!doctype html><title>Just a moment…</title>\n")
}

// answerHuge sends a good document behind 200 MB of white space: a verifier
// that reads it all takes it.
func answerHuge(x *exchange, fault string, _ <-chan struct{}) {
	x.bad(fault)
	blanks := []byte(strings.Repeat(" ", 64<<10))
	for range hugeBody / len(blanks) {
		if _, err := x.w.Write(blanks); err != nil {
			return
		}
	}
	_, _ = x.w.Write(x.endpoint.team.Certs())
}

// answerReset cuts the connection in the middle of the document.
func answerReset(x *exchange, fault string, _ <-chan struct{}) {
	x.bad(fault)
	document := x.endpoint.team.Certs()
	_, _ = x.w.Write(document[:len(document)/2])
	_ = http.NewResponseController(x.w).Flush()
	panic(http.ErrAbortHandler)
}

// answerRedirect leads to another team's keys.
func answerRedirect(x *exchange, fault string, _ <-chan struct{}) {
	x.bad(fault)
	http.Redirect(x.w, x.r, x.endpoint.stranger.URL+x.r.URL.Path, http.StatusFound)
}
