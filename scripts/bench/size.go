package main

import "time"

// size says how much is measured, and for how long.
type size struct {
	Rounds int           // interleaved rounds, whose median counts
	Slice  time.Duration // of one contender in one round

	Pool    int // distinct tokens, signed before anything is timed
	Memory  int // tokens that a verifier remembers in the cases with the pool
	LookUps int // under the Zipf law

	Pairs       int // of a bare and a protected server
	Turns       int // of one server in one pair
	Turn        time.Duration
	Connections int
}

// sessionCount is how many sessions come again and again.
const sessionCount = 64

func fullSize() size {
	return size{
		Rounds: 15, Slice: 50 * time.Millisecond,
		Pool: 100_000, Memory: 8192, LookUps: 300_000,
		Pairs: 5, Turns: 30, Turn: 100 * time.Millisecond, Connections: 16,
	}
}

func quickSize() size {
	return size{
		Rounds: 3, Slice: 4 * time.Millisecond,
		Pool: 2500, Memory: 256, LookUps: 5000,
		Pairs: 1, Turns: 5, Turn: 40 * time.Millisecond, Connections: 16,
	}
}
