package instrument

import "time"

// What an [Event] is of.
const (
	Serving = "serving" // the server listens
	Begun   = "begun"   // a certs fetch begins
	Landed  = "landed"  // a certs fetch has ended, and its outcome is in force
	Sampled = "sampled" // the server has looked at itself
)

// An Event is one line from a server. Fields that don't belong to its Kind are
// zero.
type Event struct {
	Kind  string
	Since time.Duration // of the process, on its monotonic clock

	URL string `json:",omitempty"` // Serving

	Fetch  int    `json:",omitempty"` // Begun, Landed: its number, from 1
	AtOnce int    `json:",omitempty"` // Begun: how many are under way, this one included
	Reason string `json:",omitempty"` // Landed: core's
	Err    string `json:",omitempty"` // Landed: empty if it worked
	Bytes  int64  `json:",omitempty"` // Landed: taken of the body

	Sample Sample `json:",omitzero"` // Sampled
}

// A Sample is what a server weighs. Live is after a collection.
type Sample struct {
	Goroutines int
	Live       uint64 // bytes of heap
	Peak       uint64 // bytes of heap, dead ones too, at the worst moment so far
}
