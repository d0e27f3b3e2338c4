package main

import (
	"os"
	"runtime"
	"strings"
)

// A machine is where the latencies come from.
type machine struct {
	CPU   string
	Cores int
	Go    string
	OS    string
}

// thisMachine describes the machine as well as its system lets it.
func thisMachine() machine {
	m := machine{
		CPU: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version(),
		OS: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, ok := strings.Cut(string(info), "model name"); ok {
			line, _, _ := strings.Cut(after, "\n")
			m.CPU = strings.TrimSpace(strings.TrimLeft(line, "\t :"))
		}
	}
	return m
}
