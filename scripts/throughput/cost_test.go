package throughput

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/scripts/program"
)

// A target is a way to the application.
type target struct {
	name, url string // url without the scheme
	bearer    bool   // the token is in Authorization
	programs  []*program.Program

	// What the measurements have found.
	requests int
	cpu      time.Duration // of its programs, for all requests
	took     time.Duration
	p99      time.Duration // the longest of all rounds
	idle     int           // memory before the first measurement, in KiB
}

// measure runs wrk for a while.
func (t *target) measure(header http.Header, length time.Duration) error {
	if err := t.ask(header); err != nil {
		return err
	}
	if t.idle == 0 {
		var err error
		if t.idle, err = t.memory(); err != nil {
			return err
		}
	}
	arguments := []string{"-t1", "-c16", "--latency", fmt.Sprintf("-d%d", int(length.Seconds())), "-H", "Host: " + host}
	for name, values := range header {
		arguments = append(arguments, "-H", name+": "+values[0])
	}
	before, err := t.cpuTime()
	if err != nil {
		return err
	}
	output, err := exec.Command("wrk", append(arguments, "http://"+t.url)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("wrk: %w: %s", err, output)
	}
	after, err := t.cpuTime()
	if err != nil {
		return err
	}
	if strings.Contains(string(output), "Non-2xx") || strings.Contains(string(output), "Socket errors") {
		return fmt.Errorf("wrk: %s", output)
	}
	t.cpu += after - before
	t.took += length
	fields := strings.Fields(string(output))
	for i, field := range fields[1:] {
		switch {
		case field == "requests" && fields[i+2] == "in":
			n, err := strconv.Atoi(fields[i])
			if err != nil {
				return fmt.Errorf("wrk: %w: %s", err, output)
			}
			t.requests += n
		case fields[i] == "99%":
			p99, err := time.ParseDuration(field)
			if err != nil {
				return fmt.Errorf("wrk: %w: %s", err, output)
			}
			t.p99 = max(t.p99, p99)
		}
	}
	return nil
}

// ask sends one request, which must be allowed.
func (t *target) ask(header http.Header) error {
	request, err := http.NewRequest(http.MethodGet, "http://"+t.url, nil)
	if err != nil {
		return err
	}
	request.Header, request.Host = header, host
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return err
}

// cpuTime returns the CPU time of the programs so far.
func (t *target) cpuTime() (sum time.Duration, err error) {
	for _, p := range t.programs {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
		if err != nil {
			return 0, err
		}
		_, after, _ := strings.Cut(string(stat), ") ") // utime and stime, proc(5)
		fields := strings.Fields(after)
		for _, ticks := range fields[11:13] {
			n, err := strconv.Atoi(ticks)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(n) * time.Second / 100
		}
	}
	return sum, nil
}

// memory returns the resident memory of the programs in KiB.
func (t *target) memory() (sum int, err error) {
	for _, p := range t.programs {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
		if err != nil {
			return 0, err
		}
		_, after, found := strings.Cut(string(status), "VmRSS:")
		if !found {
			return 0, errors.New("no VmRSS: the program has ended")
		}
		n, err := strconv.Atoi(strings.Fields(after)[0])
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// print prints the table.
func print(targets []*target) error {
	fmt.Printf("| | requests/s | p99 | CPU a request | memory at first | with %d sessions |\n| --- | --- | --- | --- | --- | --- |\n", sessions)
	for _, t := range targets {
		now, err := t.memory()
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		fmt.Printf("| %s | %.0f | %v | %v | %d MiB | %d MiB |\n", t.name, float64(t.requests)/t.took.Seconds(), t.p99,
			(t.cpu / time.Duration(max(t.requests, 1))).Round(100*time.Nanosecond), t.idle>>10, now>>10)
	}
	return nil
}
