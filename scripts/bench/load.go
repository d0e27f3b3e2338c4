package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// A load keeps servers busy in turn, one at a time: so many connections, each
// of which sends the next request when it has read the answer to the last.
// Turns are short, so that the noise of a shared machine hits all servers
// alike, and the servers whose turn it isn't have nothing to do.
type load struct {
	Addrs       []string
	Tokens      []string
	Connections int // to each server
	Turns       int // of each server; one more comes first and isn't counted
	Turn        time.Duration
	Limit       int // requests of one connection in one turn, at most
}

// A loaded is what came of a load for one server.
type loaded struct {
	Requests  int // that count
	Answered  int // in all
	PerSecond float64
	P50, P99  time.Duration
}

// loadCommand is a load generator in a process of its own. Its arguments are
// the servers' addresses. Tokens come from stdin, one a line; what came of the
// load goes to stdout as JSON, an element for each server.
func loadCommand(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	var l load
	flags := flag.NewFlagSet("bench load", flag.ContinueOnError)
	flags.IntVar(&l.Connections, "connections", 16, "kept alive, to each server")
	flags.IntVar(&l.Turns, "turns", 20, "of each server")
	flags.DurationVar(&l.Turn, "turn", 100*time.Millisecond, "how long one is")
	flags.IntVar(&l.Limit, "limit", 100_000, "requests of a connection in a turn, at most")
	if err := flags.Parse(args); err != nil {
		return err
	}
	tokens, err := io.ReadAll(stdin)
	if err != nil {
		return fmt.Errorf("reading tokens: %w", err)
	}
	l.Addrs, l.Tokens = flags.Args(), strings.Fields(string(tokens))
	results, err := l.run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(results)
}

// run loads the servers. Any answer but 200 is an error.
func (l load) run(ctx context.Context) ([]loaded, error) {
	if len(l.Tokens) == 0 {
		return nil, errors.New("no tokens to send")
	}
	servers := make([]*loadedServer, len(l.Addrs))
	for i, addr := range l.Addrs {
		server, err := l.dial(ctx, addr)
		if err != nil {
			return nil, err
		}
		defer server.close()
		defer context.AfterFunc(ctx, server.close)()
		servers[i] = server
	}
	for turn := range l.Turns + 1 {
		for i := range servers {
			// Another one begins each time.
			if err := l.take(servers[(turn+i)%len(servers)], turn > 0); err != nil {
				return nil, err
			}
		}
	}
	results := make([]loaded, len(servers))
	for i, server := range servers {
		all := slices.Sorted(server.latencies())
		if len(all) == 0 {
			return nil, errors.New("no request was answered in time")
		}
		results[i] = loaded{
			Requests: len(all), Answered: server.answered(), PerSecond: float64(len(all)) / server.busy.Seconds(),
			P50: percentile(all, 50), P99: percentile(all, 99),
		}
	}
	return results, nil
}

// take has all connections of a server converse for a turn.
func (l load) take(server *loadedServer, counted bool) error {
	began := time.Now()
	ends := began.Add(l.Turn)
	failures := make([]error, len(server.connections))
	var wg sync.WaitGroup
	for i, c := range server.connections {
		wg.Go(func() { failures[i] = c.converse(ends, l.Limit, counted) })
	}
	wg.Wait()
	if counted {
		server.busy += time.Since(began)
	}
	return errors.Join(failures...)
}
