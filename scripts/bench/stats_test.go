package main

import (
	"math"
	"slices"
	"testing"
)

func TestMedian(t *testing.T) {
	for name, test := range map[string]struct {
		values []float64
		want   float64
	}{
		"one":  {[]float64{7}, 7},
		"odd":  {[]float64{9, 1, 5}, 5},
		"even": {[]float64{4, 1, 3, 2}, 2.5},
		"same": {[]float64{2, 2, 2, 9}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(test.values)
			if got := median(test.values); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if !slices.Equal(before, test.values) {
				t.Errorf("values became %v", test.values)
			}
		})
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for name, test := range map[string]struct {
		sorted []int
		p      float64
		want   int
	}{
		"least":         {hundred, 0, 1},
		"first":         {hundred, 1, 1},
		"middle":        {hundred, 50, 50},
		"high":          {hundred, 99, 99},
		"just above":    {hundred, 99.1, 100},
		"greatest":      {hundred, 100, 100},
		"one":           {[]int{7}, 99, 7},
		"two, middle":   {[]int{3, 8}, 50, 3},
		"three, middle": {[]int{3, 8, 9}, 50, 8},
	} {
		t.Run(name, func(t *testing.T) {
			if got := percentile(test.sorted, test.p); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestZipfShare(t *testing.T) {
	for name, test := range map[string]struct {
		popular, all int
		s, want      float64
	}{
		"all":     {5, 5, 1.1, 1},
		"more":    {9, 5, 1.1, 1},
		"uniform": {1, 4, 0, 0.25},
		"harmony": {1, 2, 1, 1 / 1.5},
	} {
		t.Run(name, func(t *testing.T) {
			if got := zipfShare(test.popular, test.all, test.s); math.Abs(got-test.want) > 1e-12 {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
