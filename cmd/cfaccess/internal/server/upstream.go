package server

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// transport is one for all, so that a reload keeps its connections.
var transport = &http.Transport{
	DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
	MaxIdleConnsPerHost: 100, IdleConnTimeout: 30 * time.Second,
	DisableCompression: true, // the client's Accept-Encoding counts
}

// Upstream returns a reverse proxy to the server at a URL such as
// "http://127.0.0.1:3000", without a path. WebSockets, streams and large bodies
// pass. The upstream sees the client's Host, path and query as they came.
// X-Forwarded-For gets this hop's client, and X-Forwarded-Proto stays if an earlier
// proxy has set it. Other protocols than WebSocket can't be upgraded to: the client
// could then send any request, without a check. edit changes the request that is
// sent, after hop-by-hop headers are removed.
func Upstream(rawURL string, logger *slog.Logger, edit func(*httputil.ProxyRequest)) (http.Handler, error) {
	target, err := url.Parse(rawURL)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" || target.User != nil ||
		strings.Trim(target.Path, "/")+target.RawQuery+target.Fragment != "" {
		return nil, errors.New("want an upstream without a path, such as http://127.0.0.1:3000") // the URL may have a password
	}
	return &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if path, query, _ := strings.Cut(r.In.RequestURI, "?"); strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
				r.Out.URL.Opaque, r.Out.URL.RawQuery = path, query // package url would escape some paths anew
			}
			r.Out.Host = r.In.Host
			forwardedFor := r.In.Header["X-Forwarded-For"]
			r.Out.Header["X-Forwarded-For"] = forwardedFor // SetXForwarded appends
			if r.SetXForwarded(); r.Out.Header["X-Forwarded-For"] == nil && forwardedFor != nil {
				r.Out.Header["X-Forwarded-For"] = forwardedFor // the client is on a Unix socket
			}
			if !strings.EqualFold(r.Out.Header.Get("Upgrade"), "websocket") {
				r.Out.Header.Del("Upgrade")
				r.Out.Header.Del("Connection")
			}
			if proto := r.In.Header.Get("X-Forwarded-Proto"); proto != "" {
				r.Out.Header.Set("X-Forwarded-Proto", proto) // TLS ends in front of us
			}
			edit(r)
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil {
				panic(http.ErrAbortHandler) // the client has gone: no status 200 without a body
			}
			logger.WarnContext(r.Context(), "upstream failed", slog.String("upstream", target.Host), slog.Any("error", err))
			http.Error(w, "the application behind this proxy does not answer", http.StatusBadGateway)
		},
	}, nil
}

// FoldName returns the name that CGI, WSGI and PHP servers read in a header field's
// name, in lower case with - for every other character.
func FoldName(name string) string {
	return strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(strings.TrimSpace(name)))
}
