//go:build race

package main

// fewTokens is less with the race detector, which takes ten times as long.
const fewTokens = 800
