package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/peers"
)

// A size says how much of everything there is.
type size struct {
	MadeUp  int           // tokens with a made-up kid, or a forged signature
	Crowd   int           // requests at once, after a rotation
	Body    int           // bytes of the document that is too large
	Refresh time.Duration // the interval of those that wait for a refresh
	Start   time.Duration // how long a new process may take to start
	Digest  time.Duration // to see what a large document did
	Limit   time.Duration // of one situation
}

func fullSize() size {
	return size{
		MadeUp: 200, Crowd: 500, Body: 200 << 20,
		Refresh: 1500 * time.Millisecond, Start: 3 * time.Second, Digest: 2 * time.Second, Limit: time.Minute,
	}
}

// A situation is something that goes wrong, and what is looked at.
type situation struct {
	name   string
	legend string
	// refreshes has the verifier fetch its keys again at size.Refresh.
	refreshes bool
	// alone keeps other verifiers from being in it at the same time.
	alone bool
	run   func(ctx context.Context, s *scene) string
}

// reproduce puts each library through each situation. The libraries run side by
// side, each with a team of its own.
func reproduce(ctx context.Context, libraries []peers.Library, z size) (*report, error) {
	list := situations(z)
	r := &report{Date: time.Now()}
	for _, in := range list {
		r.Rows = append(r.Rows, row{in.name, in.legend, make([]string, len(libraries))})
	}
	var largest sync.Mutex // held by the situation that is alone
	failures := make([]error, len(libraries))
	var group sync.WaitGroup
	for column, library := range libraries {
		r.Columns = append(r.Columns, heading(library))
		group.Go(func() {
			team := accesstest.NewTeam(peers.Team)
			defer team.Close()
			for i, in := range list {
				if in.alone {
					largest.Lock()
				}
				cell, err := play(ctx, in, library, team, z)
				if in.alone {
					largest.Unlock()
				}
				if err != nil {
					failures[column] = fmt.Errorf("%s: %w", in.name, err)
					return
				}
				r.Rows[i].Cells[column] = cell
			}
		})
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		return nil, err
	}
	return r, nil
}

// play runs one situation and returns its cell.
func play(ctx context.Context, in situation, library peers.Library, team *accesstest.Team, z size) (string, error) {
	limited, cancel := context.WithTimeout(ctx, z.Limit)
	defer cancel()
	team.Recover()
	s := &scene{library: library, team: team, size: z, session: team.SignUser(peers.Audience, "session@example.com")}
	var refresh time.Duration
	if in.refreshes {
		refresh = z.Refresh
	}
	if err := s.start(limited, refresh); err != nil {
		return "", err
	}
	cell := in.run(limited, s)
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s: %w", library.Name, context.Cause(ctx))
	}
	if limited.Err() != nil {
		return fmt.Sprintf("no answer within %v s", z.Limit.Seconds()), nil
	}
	return cell, nil
}
