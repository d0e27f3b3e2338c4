package instrument

import (
	"context"
	"log/slog"
	"strings"
)

// A listener is the slog.Handler of a server. It learns from the log where the
// server listens, lets trouble through, and drops the rest.
type listener struct {
	journal *journal
	trouble slog.Handler
}

// Enabled is false for what no server logs that is in trouble.
func (l *listener) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle reads a record.
func (l *listener) Handle(ctx context.Context, record slog.Record) error {
	if record.Message == "serving" {
		record.Attrs(func(a slog.Attr) bool {
			if a.Key == "url" {
				l.journal.write(Event{Kind: Serving, URL: a.Value.String()})
			}
			return true
		})
		return nil
	}
	// net/http logs a handler's panic through the log package, at Info.
	if record.Level >= slog.LevelError || strings.Contains(record.Message, "panic") {
		return l.trouble.Handle(ctx, record)
	}
	return nil
}

// WithAttrs returns the listener: the examples log nothing that needs more.
func (l *listener) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup returns the listener.
func (l *listener) WithGroup(string) slog.Handler { return l }
