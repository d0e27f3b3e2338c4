//go:build !unix

package dev

import "context"

func (s *Server) watchSignals(ctx context.Context) { <-ctx.Done() }
