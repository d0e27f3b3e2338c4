//go:build !unix

package dev

import "syscall"

const rotateSignal, endSignal, certsSignal = syscall.Signal(-1), syscall.Signal(-2), syscall.Signal(-3) // never sent
