package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A trial plays situations, one after the other, with one team.
type trial struct {
	team       *accesstest.Team
	newHandler func(*core.Verifier) http.Handler
	logger     *slog.Logger
	transport  *http.Transport
}

// newTrial returns a trial of the servers that newHandler makes. The caller
// closes it.
func newTrial(team *accesstest.Team, newHandler func(*core.Verifier) http.Handler, logger *slog.Logger) *trial {
	return &trial{team, newHandler, logger, &http.Transport{}}
}

func (t *trial) close() {
	t.transport.CloseIdleConnections()
}

// playAll returns a row for each situation. It stops early if ctx ends.
func (t *trial) playAll(ctx context.Context, all []situation) []row {
	var rows []row
	for _, s := range all {
		if ctx.Err() != nil {
			break
		}
		rows = append(rows, t.play(ctx, s))
	}
	return rows
}

func (t *trial) play(ctx context.Context, s situation) row {
	result := row{name: s.name, want: s.want.String()}
	got, err := t.outcome(ctx, s.play)
	if err != nil {
		result.got = "error: " + err.Error()
		return result
	}
	result.got, result.holds = s.want.describe(got), s.want.holds(got)
	return result
}

// outcome plays on a fresh server, so that no situation meets the keys or the
// cooldown of another.
func (t *trial) outcome(ctx context.Context, play play) (outcome, error) {
	verifier, err := newVerifier(t.team, t.logger)
	if err != nil {
		return outcome{}, err
	}
	client := &http.Client{
		Transport: t.transport,
		Timeout:   10 * time.Second,
		// A redirect is an answer like any other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	o, err := startOrigin(t.team, verifier, t.newHandler(verifier), client)
	if err != nil {
		return outcome{}, err
	}
	defer o.close()
	defer t.team.Recover()
	return play(ctx, o)
}
