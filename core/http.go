package core

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxDocument bounds the body of an answer. The certs document is under 10 KiB.
const maxDocument = 1 << 20

// newHTTPClient returns a client that follows no redirects: they are never
// right for Access's endpoints, and keys would come from an unknown host.
func newHTTPClient(client *http.Client) *http.Client {
	var own http.Client
	if client != nil {
		own = *client
	}
	if own.Transport == nil { // not http.DefaultTransport: any package can change that
		own.Transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: identityFetches,
			IdleConnTimeout:     30 * time.Second,
		}
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// do returns the answer to a request: all of its body, or an error if that is
// over maxDocument or the answer comes from another URL.
func do(client *http.Client, request *http.Request) (status int, header http.Header, body []byte, err error) {
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, nil, &outsideError{cause: err}
	}
	defer response.Body.Close()
	// The client's own transport may have followed a redirect.
	if answered := response.Request; answered != nil && answered.URL.String() != request.URL.String() {
		return 0, nil, nil, fmt.Errorf("answered by %s", answered.URL.Redacted())
	}
	body, err = io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	switch {
	case err != nil:
		err = &outsideError{cause: err}
	case len(body) > maxDocument:
		err = fmt.Errorf("body over %d bytes", maxDocument)
	}
	return response.StatusCode, response.Header, body, err
}
