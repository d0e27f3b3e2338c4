// Package server has what the servers of this command share: where they listen,
// how they end, and how they pass a request to an upstream.
package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"
)

// Listen listens on a TCP address, or on a Unix socket if the address begins with
// "unix:". It removes a socket that an earlier process has left, and nobody but
// the owner and the group can connect.
func Listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		return net.Listen("tcp", address)
	}
	if connection, err := net.Dial("unix", path); err == nil {
		connection.Close()
		return nil, fmt.Errorf("listen %s: another process listens there", address)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == os.ModeSocket {
		_ = os.Remove(path) // otherwise net.Listen fails
	}
	listener, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o660)
	}
	return listener, err
}

// IsLoopback reports whether only this machine can reach an address of Listen.
func IsLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip, _ := netip.ParseAddr(host)
	return strings.HasPrefix(address, "unix:") || strings.EqualFold(host, "localhost") || ip.Unmap().IsLoopback()
}

// Serve answers HTTP/1 and cleartext HTTP/2 with handler until ctx ends. It then
// waits for the requests under way, ten seconds at most.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second, // bodies may take longer: uploads
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)

	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if server.Shutdown(shutdown) != nil {
		server.Close() // cuts streams off, which is no failure
	}
	<-ended
	return nil
}
