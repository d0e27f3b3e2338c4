//go:build unix

package dev

import "syscall"

const rotateSignal, endSignal, certsSignal = syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2
