package instrument

import (
	"context"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// heapObjects is the metric of the heap's bytes, dead ones that aren't swept
// yet included.
const heapObjects = "/memory/classes/heap/objects:bytes"

// watchEvery is how often the heap is looked at for its peak. A body that is
// read whole stays for longer than that.
const watchEvery = 20 * time.Millisecond

// A gauge watches the heap.
type gauge struct{ peak atomic.Uint64 }

// newGauge returns a gauge that watches until ctx ends.
func newGauge(ctx context.Context) *gauge {
	g := &gauge{}
	go func() {
		sample := []metrics.Sample{{Name: heapObjects}}
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		for ctx.Err() == nil {
			metrics.Read(sample)
			g.peak.Store(max(g.peak.Load(), sample[0].Value.Uint64()))
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	}()
	return g
}

// sample collects garbage and says what is left.
func (g *gauge) sample() Event {
	// Twice: a sync.Pool holds on to its things for one collection.
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return Event{Kind: Sampled, Sample: Sample{
		Goroutines: runtime.NumGoroutine(), Live: stats.HeapAlloc, Peak: g.peak.Load(),
	}}
}
