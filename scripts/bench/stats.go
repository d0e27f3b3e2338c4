package main

import (
	"cmp"
	"math"
	"slices"
)

// median returns the middle of values, or the mean of the middle two. It
// leaves values as they are. It panics if there are none.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentile returns the least of the sorted values that p percent of them do
// not exceed (the nearest rank). It panics if there are none.
func percentile[T cmp.Ordered](sorted []T, p float64) T {
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// zipfShare returns which part of all look-ups the most popular sessions get
// under a Zipf law: no memory of that many can do better for long.
func zipfShare(popular, all int, s float64) float64 {
	var sum, share float64
	for rank := 1; rank <= all; rank++ {
		sum += math.Pow(float64(rank), -s)
		if rank == popular {
			share = sum
		}
	}
	if popular >= all {
		return 1
	}
	return share / sum
}
