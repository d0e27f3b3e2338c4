package main

import (
	"context"
	"fmt"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// measureAll fills the report. What needs the large pool of tokens comes last,
// so that the other cases have a small heap.
func measureAll(ctx context.Context, r *report, progress func(what string)) error {
	team := accesstest.NewTeam(teamName)
	defer team.Close()
	sessions, err := sign(ctx, team, sessionCount)
	if err != nil {
		return err
	}

	// Whether there are two cores to have changes from minute to minute on a
	// shared machine, so this is tried at several times.
	tryParallel := func() error {
		if floorScaling(r.Parallel) <= quiet {
			return nil
		}
		progress("one core and two")
		scalings, err := measureParallel(ctx, team, sessions, r.Size)
		r.Parallel = quieter(r.Parallel, scalings)
		return err
	}

	progress("sessions that come again and again")
	if r.Cases, err = repeatedCases(ctx, team, sessions, r.Size); err != nil {
		return err
	}
	progress("tokens that are refused")
	refused, err := refusedCases(ctx, team, sessions[0], r.Size)
	if err != nil {
		return err
	}
	if err := tryParallel(); err != nil {
		return err
	}
	progress("servers over HTTP")
	if r.HTTP, err = measureHTTP(ctx, team, sessions, r.Size); err != nil {
		return err
	}

	if err := tryParallel(); err != nil {
		return err
	}
	progress(fmt.Sprintf("signing %d tokens", r.Size.Pool))
	pool, err := sign(ctx, team, r.Size.Pool)
	if err != nil {
		return err
	}
	progress("tokens that come for the first time")
	firstTime, err := firstTimeCase(ctx, team, sessions[0], pool, r.Size)
	if err != nil {
		return err
	}
	r.Cases = append(append(r.Cases, firstTime), refused...)
	progress("bytes a remembered token")
	if r.Footprint, err = measureFootprint(ctx, team, pool, r.Size); err != nil {
		return err
	}
	progress("more sessions than are remembered")
	if r.Crowds, err = measureCrowds(ctx, team, pool, r.Size); err != nil {
		return err
	}
	if err := tryParallel(); err != nil {
		return err
	}
	progress("done")
	return nil
}
