//go:build unix

package dev

import "syscall"

const rotateSignal, certsSignal = syscall.SIGUSR1, syscall.SIGUSR2
