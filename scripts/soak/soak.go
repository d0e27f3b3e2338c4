package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/soak/instrument"
)

// options say what to run.
type options struct {
	length time.Duration
	seed   uint64
	race   bool
}

// A soak is a run.
type soak struct {
	options options
	began   time.Time // before the servers
	pace    pace
	court   *court
	wallet  *wallet
	forger  *forger
	servers []*server

	strange, flood, always *gate
	clients                []*client
	slow                   []*slowClient

	quiet   sync.RWMutex // locked while nobody may send anything
	pauses  []pause
	samples [][]instrument.Sample // by server, at the start, in the middle and at the end
}

// carryOut runs a soak and returns what it has found. An error means that there
// was none: the verdict is in the report.
func carryOut(ctx context.Context, o options, progress func(string)) (*report, error) {
	p, err := paceOf(o.length)
	if err != nil {
		return nil, err
	}
	directory, err := os.MkdirTemp("", "cfaccess-soak-")
	if err != nil {
		return nil, fmt.Errorf("a directory for the servers: %w", err)
	}
	defer os.RemoveAll(directory)
	progress("building the servers")
	if err := build(ctx, directory, o.race); err != nil {
		return nil, err
	}

	team, stranger := accesstest.NewTeam(teamName), accesstest.NewTeam("umbrella")
	defer team.Close()
	defer stranger.Close()
	keys := newKeyring()
	s := &soak{
		options: o, began: time.Now(), pace: p, court: newCourt(&oracle{p, keys}),
		wallet: newWallet(team, stranger, keys, p.Leeway), forger: newForger(team),
		strange: newGate(), flood: newGate(), always: newGate(),
		samples: make([][]instrument.Sample, len(examples)),
	}
	s.always.set(true)
	progress("signing tokens")
	s.wallet.fill()

	logs := make(map[string]*fetchLog)
	for _, name := range examples {
		logs[name] = &fetchLog{}
	}
	e := newEndpoint(team, stranger, logs)
	progress("starting the servers")
	defer func() {
		for _, server := range s.servers {
			_ = server.stop() // again, if it went well
		}
	}()
	for _, name := range examples {
		server, err := startServer(ctx, directory, s.settings(name, team.URL), logs[name])
		if err != nil {
			return nil, err
		}
		s.servers = append(s.servers, server)
	}
	changed := make(chan struct{}, 1)
	c := &conductor{
		pace: p, team: team, keys: keys, endpoint: e, court: s.court, strange: s.strange, flood: s.flood, changed: changed,
	}
	return s.weather(ctx, c, changed, progress)
}

// settings are those of a server.
func (s *soak) settings(name, endpoint string) instrument.Settings {
	return instrument.Settings{
		Name: name, AdminDomain: adminDomain, Team: teamName, Audience: audience, Endpoint: endpoint,
		Leeway: s.pace.Leeway, RefreshInterval: s.pace.RefreshInterval, MaxStale: s.pace.MaxStale,
		RefetchCooldown: s.pace.Cooldown, FetchTimeout: s.pace.FetchTimeout, TokenCacheSize: memorySize,
	}
}

// weather has the servers weather the storm.
func (s *soak) weather(ctx context.Context, c *conductor, changed <-chan struct{}, progress func(string)) (*report, error) {
	s.enlist(ctx)
	progress("warming up")
	s.warmUp(ctx)
	if err := s.rest(); err != nil {
		return nil, err
	}

	slots := plan(s.options.seed, s.pace, s.options.length)
	progress(fmt.Sprintf("the storm: %d faults in %v, seed %d", len(slots), s.options.length, s.options.seed))
	storm, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	began := time.Now()
	s.court.tally.begin(began)
	s.pauses = []pause{{s.began, began}} // not everybody was busy all the time
	c.began = began
	wg.Go(func() { s.wallet.renew(storm, changed) })
	for _, client := range s.clients {
		wg.Go(func() { client.run(storm) })
	}
	for _, slow := range s.slow {
		wg.Go(func() { slow.run(storm) })
	}
	half := middle(slots, s.options.length)
	c.play(storm, slots[:half])
	resting := time.Now()
	err := s.rest()
	c.began = c.began.Add(time.Since(resting)) // the timeline stood still
	if err == nil {
		c.play(storm, slots[half:])
		c.await(storm, s.options.length)
	}
	stop()
	wg.Wait()
	ended := time.Now()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	progress("the calm after it")
	return s.conclude(c, began, ended), nil
}

// enlist makes the clients and their connections.
func (s *soak) enlist(ctx context.Context) {
	number := 0
	add := func(server *server, g *gate, every time.Duration, next func(*composer) *request) *client {
		number++
		composer := newComposer(s.options.seed, number, s.wallet, s.forger, s.pace.Leeway)
		c := &client{
			docket: docket{court: s.court, server: server}, connection: connection{addr: server.addr},
			next: func() *request { return next(composer) }, every: every, gate: g, quiet: &s.quiet,
		}
		_ = c.connection.dial(ctx) // if it can't, it can't later, and says so then
		return c
	}
	greet := func(c *composer) *request { return c.greet("slow user", popular(c.random, c.wallet.users)) }
	for _, server := range s.servers {
		for range ordinaryClients {
			s.clients = append(s.clients, add(server, s.always, ordinaryEvery, (*composer).ordinary))
		}
		s.clients = append(s.clients,
			add(server, s.strange, strangeEvery, (*composer).strange),
			add(server, s.flood, floodEvery, (*composer).strange))
		s.slow = append(s.slow, &slowClient{*add(server, s.always, 0, greet)})
	}
}

// warmUp sends the token of every session to every server, so that the memory
// of tokens is full from the start.
func (s *soak) warmUp(ctx context.Context) {
	var wg sync.WaitGroup
	for i, server := range s.servers {
		wg.Go(func() {
			c := s.clients[i*len(s.clients)/len(s.servers)]
			for _, session := range s.wallet.sessions() {
				t := session.token.Load()
				if ctx.Err() != nil || server.hasEnded() {
					return
				}
				c.send(ctx, &request{
					kind: "first time", path: greetPath, lines: inHeader(t.raw),
					truth: truth{kid: t.kid, expires: t.expires.Add(s.pace.Leeway), body: t.greeting},
				})
			}
		})
	}
	wg.Wait()
}

// rest stops the storm for as long as it takes the servers to look at
// themselves.
func (s *soak) rest() error {
	s.quiet.Lock()
	defer s.quiet.Unlock()
	begin := time.Now()
	for i, server := range s.servers {
		sample, err := server.sample()
		if err != nil {
			s.court.accuse(server, crashed, time.Now(), *s.court.fault.Load(), "the process", "to run", err.Error())
			return err
		}
		s.samples[i] = append(s.samples[i], sample)
	}
	s.pauses = append(s.pauses, pause{begin, time.Now()})
	return nil
}
