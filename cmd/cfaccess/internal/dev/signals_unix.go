//go:build unix

package dev

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// watchSignals acts on signals until ctx ends: SIGHUP rotates the signing keys,
// SIGUSR1 ends all sessions, SIGUSR2 makes the certs endpoint fail, or work again.
func (s *Server) watchSignals(ctx context.Context) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case received := <-signals:
			switch received {
			case syscall.SIGHUP:
				err = s.RotateKeys(ctx)
			case syscall.SIGUSR1:
				err = s.EndSessions()
			case syscall.SIGUSR2:
				s.ToggleCerts()
			}
		}
		if err != nil {
			s.logger.Error("signal", slog.Any("error", err))
		}
	}
}
