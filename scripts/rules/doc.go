// Package rules holds the rules of this repository as tests: who may import
// whom, what has to be documented, and that the documentation leads somewhere.
// It has no code of its own.
package rules
