//go:build !unix

package dev

import "syscall"

const rotateSignal, certsSignal = syscall.Signal(-1), syscall.Signal(-2) // never sent
