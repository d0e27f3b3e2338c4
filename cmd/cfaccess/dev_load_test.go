package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/cfaccess/cfaccess/core"
)

// loadTime is how long the connections last: CFACCESS_LOAD, or two seconds.
func loadTime(t *testing.T) time.Duration {
	t.Helper()
	value := os.Getenv("CFACCESS_LOAD")
	if value == "" {
		return 2 * time.Second
	}
	length, err := time.ParseDuration(value)
	if err != nil {
		t.Fatal(err)
	}
	return length
}

// TestDevUnderLoad holds 200 WebSockets and a stream of events open at once.
func TestDevUnderLoad(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(loadUpstream))
	defer upstream.Close()
	d := startDev(t, upstream.URL)
	_, token := d.login(t)
	header := http.Header{"Cookie": {core.TokenCookie + "=" + token}}
	before := memory(t, d)

	until := time.Now().Add(loadTime(t))
	var echoes, events atomic.Int64
	var all sync.WaitGroup
	for number := range 200 {
		all.Go(func() {
			if err := exchange(t.Context(), d.url, header, number, until, &echoes); err != nil {
				t.Errorf("WebSocket %d: %v", number, err)
			}
		})
	}
	all.Go(func() {
		if err := listen(t.Context(), d.url, header, until, &events); err != nil {
			t.Errorf("events: %v", err)
		}
	})
	all.Wait()
	t.Logf("%d echoes, %d events in %v; resident before %d MiB, at most %d MiB", echoes.Load(), events.Load(), loadTime(t), before>>20, memory(t, d)>>20)
	if echoes.Load() < 400 || events.Load() < 10 {
		t.Errorf("%d echoes and %d events", echoes.Load(), events.Load())
	}
}

// loadUpstream echoes messages, sends events, and sums bodies.
func loadUpstream(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/ws":
		connection, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer connection.CloseNow()
		for {
			kind, message, err := connection.Read(r.Context())
			if err != nil || connection.Write(r.Context(), kind, message) != nil {
				return
			}
		}
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		for number := 0; r.Context().Err() == nil; number++ {
			fmt.Fprintf(w, "data: %d\n\n", number)
			http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	case "/upload":
		sum := sha256.New()
		size, err := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %x %v", size, sum.Sum(nil), err)
	}
}

// exchange sends messages over one WebSocket, and waits for the echo of each.
func exchange(ctx context.Context, origin string, header http.Header, number int, until time.Time, echoes *atomic.Int64) error {
	connection, _, err := websocket.Dial(ctx, origin+"/ws", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return err
	}
	defer connection.CloseNow()
	for i := 0; time.Now().Before(until); i++ {
		want := fmt.Sprintf("message %d of %d", i, number)
		if err := connection.Write(ctx, websocket.MessageText, []byte(want)); err != nil {
			return err
		}
		_, got, err := connection.Read(ctx)
		if err != nil {
			return err
		}
		if string(got) != want {
			return fmt.Errorf("echo %q, want %q", got, want)
		}
		echoes.Add(1)
		time.Sleep(20 * time.Millisecond) // a client that thinks: the machine stays usable
	}
	return connection.Close(websocket.StatusNormalClosure, "")
}

// listen reads events, each of which must come in order and before the next is sent.
func listen(ctx context.Context, origin string, header http.Header, until time.Time, events *atomic.Int64) error {
	request, err := http.NewRequestWithContext(ctx, "GET", origin+"/events", nil)
	if err != nil {
		return err
	}
	request.Header = header
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for time.Now().Before(until) && lines.Scan() {
		if lines.Text() == "" {
			continue
		}
		if want := fmt.Sprintf("data: %d", events.Load()); lines.Text() != want {
			return fmt.Errorf("%q, want %q", lines.Text(), want)
		}
		events.Add(1)
	}
	return lines.Err()
}

// TestDevPassesLargeUploads sends 200 MB, which must neither change nor stay in
// memory.
func TestDevPassesLargeUploads(t *testing.T) {
	const size, most = 200 << 20, 40 << 20
	upstream := httptest.NewServer(http.HandlerFunc(loadUpstream))
	defer upstream.Close()
	d := startDev(t, upstream.URL)
	client, _ := d.login(t)
	before := memory(t, d)

	sum := sha256.New()
	body := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{}), size), sum)
	answer, err := client.Post(d.url+"/upload", "application/octet-stream", body)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if want := fmt.Sprintf("%d %x <nil>", size, sum.Sum(nil)); err != nil || string(got) != want {
		t.Errorf("the upstream read %s, want %s (%v)", got, want, err)
	}
	after := memory(t, d)
	t.Logf("resident at most: %d MiB before, %d MiB after", before>>20, after>>20)
	if after-before > most {
		t.Errorf("the upload took %d MiB, want at most %d MiB", (after-before)>>20, most>>20)
	}
}

var peak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// memory returns the most resident memory that dev has had so far, in bytes; 0
// where the system doesn't tell.
func memory(t *testing.T, d *devServer) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.process.Process.Pid))
	if errors.Is(err, os.ErrNotExist) && runtime.GOOS != "linux" {
		return 0
	}
	match := peak.FindSubmatch(status)
	if match == nil {
		t.Fatalf("no peak of memory: %v", err)
	}
	kibibytes, err := strconv.ParseInt(string(match[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kibibytes << 10
}
