package main

import (
	"fmt"

	"github.com/cfaccess/cfaccess/scripts/soak/instrument"
)

// What a server may weigh more in the middle and at the end than at the start,
// when its memory of tokens was full already and every client was connected.
const (
	// moreGoroutines are those that fasthttp keeps for its next connections,
	// and net/http's of one that is ending. A leak has one more each fetch.
	moreGoroutines = 10
	// moreHeap is for buffers; the race detector's heap varies more than it.
	moreHeap = 6 << 20
	// mostPeak is above the heap at the start, for garbage and one document of
	// 1 MiB.
	mostPeak = 64 << 20
)

// checkSamples reports what is not flat.
func checkSamples(samples []instrument.Sample, report func(kind, expected, got string)) {
	if len(samples) == 0 {
		return
	}
	start := samples[0]
	for _, later := range samples[1:] {
		if most := start.Goroutines + moreGoroutines; later.Goroutines > most {
			report("goroutines", fmt.Sprintf("at most %d", most), fmt.Sprint(later.Goroutines))
		}
		if most := start.Live + moreHeap; later.Live > most {
			report("live heap", "at most "+megabytes(most), megabytes(later.Live))
		}
		if most := start.Live + mostPeak; later.Peak > most {
			report("peak heap", "at most "+megabytes(most), megabytes(later.Peak))
		}
	}
}

func megabytes(bytes uint64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
