//go:build !race

package main

const fewTokens = 6000
