package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// patience is how long an answer may take. It is well over FetchTimeout, which
// bounds any wait.
const patience = 10 * time.Second

// A connection is one of HTTP/1.1 that is kept alive, and made again when the
// server ends it. It is used by one goroutine.
type connection struct {
	addr    string
	conn    net.Conn
	answers *bufio.Reader
	used    time.Time
}

// idle is how long a connection is good for without a request. Servers end
// them after longer, and fiber one that was never used after five seconds, with
// a 408.
const idle = 2 * time.Second

// dial makes the connection if there is none to use.
func (c *connection) dial(ctx context.Context) error {
	if c.conn != nil && time.Since(c.used) < idle {
		return nil
	}
	c.close()
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	c.conn, c.answers, c.used = conn, bufio.NewReader(conn), time.Now()
	return nil
}

// close ends the connection. The next request makes another.
func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close() // what was to be read has been
		c.conn = nil
	}
}

// ask sends a request and reads its answer. sent is the moment before the last
// of it was written.
func (c *connection) ask(ctx context.Context, request []byte) (got outcome, sent, answered time.Time, err error) {
	if err := c.dial(ctx); err != nil {
		return outcome{}, time.Now(), time.Now(), err
	}
	return c.finish(request)
}

// finish sends what is left of a request and reads the answer.
func (c *connection) finish(rest []byte) (got outcome, sent, answered time.Time, err error) {
	sent = time.Now()
	if err = c.conn.SetDeadline(sent.Add(patience)); err == nil {
		if _, err = c.conn.Write(rest); err == nil {
			got, err = c.read()
		}
	}
	answered = time.Now()
	c.used = answered
	if err != nil {
		c.close()
	}
	return got, sent, answered, err
}

// read reads an answer to its end.
func (c *connection) read() (outcome, error) {
	response, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return outcome{}, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return outcome{}, err
	}
	if response.Close {
		c.close()
	}
	got := outcome{status: response.StatusCode}
	if got.status == http.StatusOK {
		got.body = string(body)
		return got, nil
	}
	var problem struct {
		Status int
		Code   string
	}
	if json.Unmarshal(body, &problem) != nil || problem.Status != got.status {
		return got, nil // without a code it is nothing that the oracle expects
	}
	got.code = problem.Code
	return got, nil
}

// isHung reports whether an answer didn't come in time.
func isHung(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func describeFailure(err error) string {
	if isHung(err) {
		return fmt.Sprintf("nothing in %v", patience)
	}
	return err.Error()
}
