package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A served is what protection costs a server of one framework: the medians of
// its pairs.
type served struct {
	Framework       string
	Bare, Protected loaded
	Ratio           float64   // of the requests a second, protected over bare: the median of the pairs' own
	Ratios          []float64 // one a pair
	// What a request costs the server's process. It says more than the requests
	// a second where others use the cores too.
	BareCPU, ProtectedCPU time.Duration
}

// measureHTTP loads a bare and a protected server of every framework, each in
// a process of its own, as the load generator is.
func measureHTTP(ctx context.Context, team *accesstest.Team, sessions []string, s size) ([]served, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("which program this is: %w", err)
	}
	var all []served
	for _, framework := range frameworks {
		one, err := measureFramework(ctx, self, framework, team.URL, sessions, s)
		if err != nil {
			return nil, fmt.Errorf("%s over HTTP: %w", framework, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// measureFramework measures pairs: a load that alternates between the two
// servers.
func measureFramework(ctx context.Context, self, framework, teamURL string, sessions []string, s size) (served, error) {
	bare, err := startServer(ctx, self, "-framework", framework)
	if err != nil {
		return served{}, err
	}
	defer bare.stop()
	protected, err := startServer(ctx, self, "-framework", framework, "-team", teamURL)
	if err != nil {
		return served{}, err
	}
	defer protected.stop()

	one := served{Framework: framework}
	var bares, protecteds []loaded
	for range s.Pairs {
		pair, err := startLoad(ctx, self, []string{bare.addr, protected.addr}, sessions, s)
		if err != nil {
			return served{}, err
		}
		bares, protecteds = append(bares, pair[0]), append(protecteds, pair[1])
		one.Ratios = append(one.Ratios, pair[1].PerSecond/pair[0].PerSecond)
	}
	one.Bare, one.Protected, one.Ratio = medianLoad(bares), medianLoad(protecteds), median(one.Ratios)
	one.BareCPU, one.ProtectedCPU = bare.stop()/answered(bares), protected.stop()/answered(protecteds)
	return one, nil
}

// answered returns how many requests came to a server, counted or not. It has
// the type of what is to be divided by it.
func answered(loads []loaded) (n time.Duration) {
	for _, l := range loads {
		n += time.Duration(l.Answered)
	}
	return n
}

// A process is a server's.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	addr  string
}

// startServer starts a server's process.
func startServer(ctx context.Context, self string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, self, append([]string{"serve"}, args...)...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("a server's stdin: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("a server's stdout: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a server: %w", err)
	}
	p := &process{cmd: cmd, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("a server's address: %w", err)
	}
	p.addr = strings.TrimSpace(line)
	return p, nil
}

// stop ends the server and returns the time that it has used on all cores. It
// may be called again.
func (p *process) stop() time.Duration {
	_ = p.stdin.Close() // a server ends with its stdin
	_ = p.cmd.Wait()    // it has served; how it ends doesn't matter
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// startLoad runs a load generator's process to its end.
func startLoad(ctx context.Context, self string, addrs, sessions []string, s size) ([]loaded, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.Turns+1)*time.Duration(len(addrs))*s.Turn+3*hangs)
	defer cancel()
	args := []string{"load", "-connections", strconv.Itoa(s.Connections), "-turns", strconv.Itoa(s.Turns), "-turn", s.Turn.String()}
	cmd := exec.CommandContext(ctx, self, append(args, addrs...)...)
	cmd.Stdin = strings.NewReader(strings.Join(sessions, "\n"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the load generator: %w", err), firstLine(&stderr))
	}
	var results []loaded
	if err := json.Unmarshal(output, &results); err != nil {
		return nil, fmt.Errorf("the load generator's answer: %w", err)
	}
	if len(results) != len(addrs) {
		return nil, fmt.Errorf("the load generator's answer is of %d servers, not %d", len(results), len(addrs))
	}
	return results, nil
}

// firstLine returns the first line of what a process complained of, if any.
func firstLine(r io.Reader) error {
	line, err := bufio.NewReader(r).ReadString('\n')
	if line = strings.TrimSpace(line); line == "" {
		return nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return errors.New(line)
}

// medianLoad returns the medians, each of its own.
func medianLoad(all []loaded) loaded {
	var requests, perSecond, p50, p99 []float64
	for _, l := range all {
		requests = append(requests, float64(l.Requests))
		perSecond = append(perSecond, l.PerSecond)
		p50 = append(p50, float64(l.P50))
		p99 = append(p99, float64(l.P99))
	}
	return loaded{
		Requests: int(median(requests)), PerSecond: median(perSecond),
		P50: time.Duration(median(p50)), P99: time.Duration(median(p99)),
	}
}
