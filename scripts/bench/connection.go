package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// hangs is how long after its turn a server may still answer.
const hangs = 5 * time.Second

// A loadedServer is a server and the connections to it.
type loadedServer struct {
	connections []*connection
	busy        time.Duration // of the turns that count
}

// A connection is one that is kept alive. It is used by one goroutine.
type connection struct {
	conn      net.Conn
	answers   *bufio.Reader
	requests  [][]byte
	next      int // of the requests
	answered  int
	latencies []time.Duration
}

// dial connects to a server. Each connection begins with another token.
func (l load) dial(ctx context.Context, addr string) (*loadedServer, error) {
	requests := make([][]byte, len(l.Tokens))
	for i, token := range l.Tokens {
		requests[i] = []byte("GET / HTTP/1.1\r\nHost: bench\r\n" + core.TokenHeader + ": " + token + "\r\n\r\n")
	}
	server := &loadedServer{}
	var dialer net.Dialer
	for i := range l.Connections {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			server.close()
			return nil, fmt.Errorf("a connection: %w", err)
		}
		server.connections = append(server.connections, &connection{
			conn: conn, answers: bufio.NewReader(conn), requests: requests, next: i % len(requests),
		})
	}
	return server, nil
}

// close ends the connections, and a conversation under way. It may be called
// again.
func (s *loadedServer) close() {
	for _, c := range s.connections {
		_ = c.conn.Close() // all that was to be read has been
	}
}

// answered returns how many requests were, counted or not.
func (s *loadedServer) answered() (n int) {
	for _, c := range s.connections {
		n += c.answered
	}
	return n
}

// latencies yields those of all connections, in no order.
func (s *loadedServer) latencies() iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		for _, c := range s.connections {
			for _, latency := range c.latencies {
				if !yield(latency) {
					return
				}
			}
		}
	}
}

// converse sends requests and reads answers until a turn ends.
func (c *connection) converse(ends time.Time, limit int, counted bool) error {
	// A server that hangs must not hang us.
	if err := c.conn.SetDeadline(ends.Add(hangs)); err != nil {
		return fmt.Errorf("a connection: %w", err)
	}
	c.latencies = slices.Grow(c.latencies, 1024)
	began := time.Now()
	for i := 0; i < limit && began.Before(ends); i++ {
		if _, err := c.conn.Write(c.requests[c.next]); err != nil {
			return fmt.Errorf("request %d: %w", c.answered, err)
		}
		if err := readAnswer(c.answers); err != nil {
			return fmt.Errorf("answer %d: %w", c.answered, err)
		}
		c.answered++
		c.next = (c.next + 1) % len(c.requests)
		now := time.Now()
		if counted {
			c.latencies = append(c.latencies, now.Sub(began))
		}
		began = now
	}
	return nil
}

// readAnswer reads one answer of HTTP/1.1 to its end. It understands those with
// a Content-Length, which is all that our servers send.
func readAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("got %q", bytes.TrimSpace(line))
	}
	length := -1
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		name, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		if len(name) == 0 {
			break
		}
		if ok && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return fmt.Errorf("Content-Length: %w", err)
			}
		}
	}
	if length < 0 {
		return errors.New("no Content-Length")
	}
	_, err = r.Discard(length)
	return err
}
