//go:build unix

package dev

import "syscall"

const rotateSignal, endSignal, certsSignal = syscall.SIGUSR1, syscall.SIGQUIT, syscall.SIGUSR2
