package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// Upstream returns a reverse proxy to the server at a URL such as
// "http://127.0.0.1:3000". WebSockets, streams and large bodies pass. The
// upstream sees the client's Host, path and query as they came. X-Forwarded-For
// gets this hop's client, and X-Forwarded-Proto stays if an earlier proxy has set
// it. edit changes the request that is sent, after hop-by-hop headers are removed.
func Upstream(rawURL string, logger *slog.Logger, edit func(*httputil.ProxyRequest)) (http.Handler, error) {
	target, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("the upstream is not a URL") // err repeats all of it, a password too
	}
	if target.Scheme != "http" && target.Scheme != "https" || target.Host == "" || target.User != nil || target.RawQuery != "" || target.Fragment != "" {
		return nil, fmt.Errorf("upstream %q: want a URL such as http://127.0.0.1:3000", target.Redacted())
	}
	return &httputil.ReverseProxy{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 100,
			IdleConnTimeout:     30 * time.Second,
			DisableCompression:  true, // the client's Accept-Encoding counts
		},
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.URL.RawQuery = r.In.URL.RawQuery // ReverseProxy drops what it can't parse
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"] // SetXForwarded appends
			r.SetXForwarded()
			if proto := r.In.Header.Get("X-Forwarded-Proto"); proto != "" {
				r.Out.Header.Set("X-Forwarded-Proto", proto) // TLS ends in front of us
			}
			edit(r)
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			logger.WarnContext(r.Context(), "upstream failed", slog.String("upstream", target.Host), slog.Any("error", err))
			http.Error(w, "the application behind this proxy does not answer", http.StatusBadGateway)
		},
	}, nil
}
