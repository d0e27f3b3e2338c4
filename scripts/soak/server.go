package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/scripts/soak/instrument"
)

// startTime is how long a server may take until it listens, or to look at
// itself, and stopTime until it has stopped. A machine may be busy.
const (
	startTime = 30 * time.Second
	stopTime  = 15 * time.Second
)

// A server is an example that runs as a process of its own.
type server struct {
	name string
	addr string
	log  *fetchLog

	command *exec.Cmd
	orders  io.WriteCloser
	serving chan string
	samples chan instrument.Sample
	trouble *trouble
	exited  chan struct{} // closed when exit may be read
	exit    error
}

// startServer starts an instrumented example, and returns when it serves.
func startServer(ctx context.Context, directory string, settings instrument.Settings, log *fetchLog) (*server, error) {
	encoded, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", settings.Name, err)
	}
	s := &server{
		name: settings.Name, log: log, trouble: &trouble{},
		serving: make(chan string, 1), samples: make(chan instrument.Sample, 1), exited: make(chan struct{}),
	}
	s.command = exec.Command(filepath.Join(directory, settings.Name))
	s.command.Env = append(os.Environ(), instrument.Variable+"="+string(encoded), "GIN_MODE=release")
	s.command.Stderr = s.trouble
	if s.orders, err = s.command.StdinPipe(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	events, err := s.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	go s.listen(events)
	select {
	case url := <-s.serving:
		s.addr = strings.TrimPrefix(url, "http://")
		return s, nil
	case <-s.exited:
		err = fmt.Errorf("%s ended early: %w: %s", s.name, s.exit, s.trouble)
	case <-time.After(startTime):
		err = fmt.Errorf("%s doesn't serve after %v: %s", s.name, startTime, s.trouble)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	s.stop()
	return nil, err
}

// listen reads what the server says until it ends.
func (s *server) listen(events io.Reader) {
	for lines := bufio.NewScanner(events); lines.Scan(); {
		var e instrument.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintf(s.trouble, "not an event: %v\n", err)
			continue
		}
		switch e.Kind {
		case instrument.Serving:
			s.serving <- e.URL
		case instrument.Sampled:
			s.samples <- e.Sample
		default:
			s.log.read(e, time.Now())
		}
	}
	err := s.command.Wait()
	if err == nil {
		err = errors.New("exit status 0")
	}
	s.exit = err
	close(s.exited)
}

// sample has the server look at itself.
func (s *server) sample() (instrument.Sample, error) {
	if _, err := io.WriteString(s.orders, "sample\n"); err != nil {
		return instrument.Sample{}, fmt.Errorf("%s: %w", s.name, err)
	}
	select {
	case sample := <-s.samples:
		return sample, nil
	case <-s.exited:
		return instrument.Sample{}, fmt.Errorf("%s has ended: %w", s.name, s.exit)
	case <-time.After(startTime):
		return instrument.Sample{}, fmt.Errorf("%s doesn't answer", s.name)
	}
}

// hasEnded reports whether the process has.
func (s *server) hasEnded() bool { return closed(s.exited) }

// stop ends the process, by force if it doesn't end by itself, and returns what
// is wrong with how it did.
func (s *server) stop() error {
	_ = s.orders.Close() // a server that has ended doesn't read it
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-s.exited:
	case <-timer.C:
		_ = s.command.Process.Kill()
		<-s.exited
		return fmt.Errorf("still there %v after it was told to stop", stopTime)
	}
	if s.command.ProcessState.ExitCode() != 0 {
		return s.exit
	}
	return nil
}

// trouble keeps the beginning of what a server writes to stderr. It is safe for
// concurrent use.
type trouble struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

// keptTrouble is enough for the report of a data race.
const keptTrouble = 4 << 10

// Write makes it an io.Writer.
func (t *trouble) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p[:min(len(p), keptTrouble-t.text.Len())])
	return len(p), nil
}

func (t *trouble) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
