// Package bench holds benchmarks only: cfaccess beside other libraries, and the
// frameworks with and without their adapters. scripts/bench.sh runs them.
package bench
