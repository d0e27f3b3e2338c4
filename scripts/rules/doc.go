// Package rules tests the rules of this repository: what a folder may import,
// which modules must be named where, and that the documentation leads somewhere.
// It has no code of its own.
package rules
