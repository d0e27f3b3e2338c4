package gate

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// newProxy serves a gate in front of upstream, on loopback.
func newProxy(t *testing.T, team *accesstest.Team, edit func(string) string, upstream http.HandlerFunc) (address string) {
	t.Helper()
	application := httptest.NewServer(upstream)
	t.Cleanup(application.Close)
	g, _ := newGate(t, edit(configuration(team, application.URL)))
	front := httptest.NewServer(g.Proxy())
	t.Cleanup(front.Close)
	return front.Listener.Addr().String()
}

func unchanged(content string) string { return content }

// dial sends a request byte by byte, as a client that writes its own headers does.
func dial(t *testing.T, address, request string) (net.Conn, *bufio.Reader) {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	if _, err := io.WriteString(connection, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	return connection, bufio.NewReader(connection)
}

func TestUpstreamSeesOnlyTheVerifiedIdentity(t *testing.T) {
	team := newTeam(t)
	team.SetGroups("ada@example.com", "administrators")
	token := team.SignUser(aud, "ada@example.com")
	identity := http.Header{
		core.EmailHeader:      {"ada@example.com"},
		"X-Auth-Request-User": {"ada@example.com"}, "X-Auth-Request-Email": {"ada@example.com"}, "X-Auth-Request-Groups": {"administrators"},
		"Remote-User": {"ada@example.com"}, "Remote-Email": {"ada@example.com"}, "Remote-Groups": {"administrators"},
	}
	onlyAccess := http.Header{core.EmailHeader: {"ada@example.com"}}
	noChoice := func(content string) string {
		return strings.Replace(content, "identity_headers: [cf-access, x-auth-request, remote]\n", "", 1)
	}
	forwardToken := func(content string) string { return "forward_token: true\n" + noChoice(content) }
	for name, row := range map[string]struct {
		edit          func(string) string
		path, headers string
		want          http.Header // besides what every request has
	}{
		"a header":              {unchanged, "/", core.TokenHeader + ": " + token, identity},
		"a cookie":              {unchanged, "/", "Cookie: CF_Authorization=" + token, identity},
		"other cookies stay":    {noChoice, "/", "Cookie: a=\"x;  b=1; CF_Authorization=" + token + ";xCF_Authorization=1; cf_authorization=2", http.Header{core.EmailHeader: {"ada@example.com"}, "Cookie": {"a=\"x;  b=1;xCF_Authorization=1; cf_authorization=2"}}},
		"the first cookie goes": {noChoice, "/", "Cookie: CF_Authorization=" + token + "; b=1", http.Header{core.EmailHeader: {"ada@example.com"}, "Cookie": {"b=1"}}},
		"every one goes":        {noChoice, "/", "Cookie: CF_Authorization=x; CF_Authorization =" + token, onlyAccess},
		"forged": {unchanged, "/", core.TokenHeader + ": " + token + `
Cf-Access-Authenticated-User-Email: boss@example.com
cf_access_authenticated_user_email: boss@example.com
Cf-Access_Authenticated-User-Email: boss@example.com
X-Auth-Request-User: boss
x_auth_request_user: boss
X-Auth-Request-Email: boss
X-Auth_Request-Groups: boss
X-Auth-Request-Preferred-Username: boss
REMOTE_USER: boss
remote-user: boss
Remote_Email: boss
Remote-Groups: boss
Remote-Name: boss
Cf_Access_Jwt_Assertion: boss`, identity},
		"forged, another family":     {noChoice, "/", core.TokenHeader + ": " + token + "\nRemote-User: boss\nX-Auth-Request-User: boss", onlyAccess},
		"forged on a public path":    {unchanged, "/static/x", core.TokenHeader + ": " + token + "\nRemote-User: boss\nCookie: CF_Authorization=x\nCf_Access_Authenticated_User_Email: boss", http.Header{}},
		"named in Connection":        {unchanged, "/", core.TokenHeader + ": " + token + "\nConnection: Remote-User, cf-access-authenticated-user-email", identity},
		"a header like them":         {noChoice, "/", core.TokenHeader + ": " + token + "\nX-Auth-Requested: 1\nRemoteuser: 1", http.Header{core.EmailHeader: {"ada@example.com"}, "X-Auth-Requested": {"1"}, "Remoteuser": {"1"}}},
		"the token, if forwarded":    {forwardToken, "/", core.TokenHeader + ": " + token + "\nCf_Access_Jwt_Assertion: x", http.Header{core.EmailHeader: {"ada@example.com"}, core.TokenHeader: {token}}},
		"the cookie, if forwarded":   {forwardToken, "/", "Cookie: CF_Authorization=" + token, http.Header{core.EmailHeader: {"ada@example.com"}, "Cookie": {"CF_Authorization=" + token}}},
		"a service token":            {noChoice, "/", core.TokenHeader + ": " + team.SignService(aud, "ci-bot"), http.Header{core.EmailHeader: {""}}},
		"announced in Trailer alone": {noChoice, "/", core.TokenHeader + ": " + token + "\nTrailer: Remote-User", onlyAccess},
	} {
		t.Run(name, func(t *testing.T) {
			seen := make(chan http.Header, 1)
			address := newProxy(t, team, row.edit, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				maps.Copy(r.Header, r.Trailer)
				seen <- r.Header
			})
			_, answer := dial(t, address, "POST "+row.path+" HTTP/1.1\nHost: wiki.example.com\nTransfer-Encoding: chunked\n"+row.headers+"\n\n1\nx\n0\nRemote-User: boss\n\n")
			response, err := http.ReadResponse(answer, nil)
			if err != nil || response.StatusCode != 200 {
				t.Fatalf("%v, %v", response, err)
			}
			got := <-seen
			for _, usual := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Content-Length", "User-Agent", "Accept-Encoding"} {
				delete(got, usual)
			}
			if !maps.EqualFunc(got, row.want, slices.Equal) {
				t.Errorf("the upstream sees %v\nwant %v", got, row.want)
			}
		})
	}
}

func TestProxyRefuses(t *testing.T) {
	team := newTeam(t)
	token := core.TokenHeader + ": " + team.SignUser(aud, "bob@example.org") + "\n"
	address := newProxy(t, team, unchanged, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the upstream got %s %s", r.Method, r.RequestURI)
	})
	for name, row := range map[string]struct {
		line, host, header, want string
	}{
		"no token":              {"GET / HTTP/1.1", "wiki.example.com", "", "401 token_missing"},
		"a refused group":       {"GET /admin HTTP/1.1", "wiki.example.com", token, "403 forbidden"},
		"another application's": {"GET / HTTP/1.1", "other.example.com", token, "401 token_invalid"},
		"an unknown host":       {"GET / HTTP/1.1", "example.com", token, "403 host_unknown"},
		"no host":               {"GET / HTTP/1.0", "", token, "403 host_unknown"},
		"dots":                  {"GET /static/../admin HTTP/1.1", "wiki.example.com", token, "403 path_invalid"},
		"an absolute URL":       {"GET http://wiki.example.com/static/x HTTP/1.1", "wiki.example.com", token, "403 path_invalid"},
		"its own endpoints":     {"GET /auth/envoy/static/x HTTP/1.1", "wiki.example.com", "", "401 token_missing"},
		"its own health":        {"GET /readyz HTTP/1.1", "wiki.example.com", "", "401 token_missing"},
	} {
		_, answer := dial(t, address, row.line+"\nHost: "+row.host+"\n"+row.header+"\n")
		response, err := http.ReadResponse(answer, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		status, code, _ := strings.Cut(row.want, " ")
		if !strings.HasPrefix(response.Status, status) || !strings.Contains(string(body), `"code":"`+code+`"`) {
			t.Errorf("%s: %s %s, want %s", name, response.Status, body, row.want)
		}
	}
}

func TestWebSocketPasses(t *testing.T) {
	team := newTeam(t)
	address := newProxy(t, team, unchanged, func(w http.ResponseWriter, r *http.Request) {
		connection, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		fmt.Fprintf(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello %s\n", r.Header.Get("Remote-User"))
		line, _ := buffer.ReadString('\n')
		_, _ = io.WriteString(connection, "echo "+line)
	})
	connection, answer := dial(t, address, "GET /ws HTTP/1.1\nHost: wiki.example.com\nUpgrade: websocket\nConnection: Upgrade, Remote-User\nRemote-User: boss\nCookie: CF_Authorization="+team.SignUser(aud, "ada@example.com")+"\n\n")
	response, err := http.ReadResponse(answer, nil)
	if err != nil || response.StatusCode != 101 {
		t.Fatalf("%v, %v", response, err)
	}
	if line, _ := answer.ReadString('\n'); line != "hello ada@example.com\n" {
		t.Errorf("read %q", line)
	}
	fmt.Fprintln(connection, "ping")
	if line, _ := answer.ReadString('\n'); line != "echo ping\n" {
		t.Errorf("read %q", line)
	}
}

func TestStreamsPassAsTheyCome(t *testing.T) {
	team := newTeam(t)
	step := make(chan string)
	address := newProxy(t, team, unchanged, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			first := make([]byte, 5)
			_, _ = io.ReadFull(r.Body, first)
			step <- string(first)
			rest, _ := io.ReadAll(r.Body)
			step <- string(rest)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for event := range step {
			fmt.Fprintln(w, event)
			_ = http.NewResponseController(w).Flush()
		}
	})
	do := func(method string, body io.Reader) io.ReadCloser {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+"/stream", body)
		if err != nil {
			t.Error(err)
			return http.NoBody
		}
		request.Host, request.Header = "wiki.example.com", withToken(team.SignUser(aud, "ada@example.com"))
		response, err := http.DefaultClient.Do(request)
		if err != nil || response.StatusCode != 200 {
			t.Errorf("%v, %v", response, err)
			return http.NoBody
		}
		return response.Body
	}

	upload, part := io.Pipe()
	answered := make(chan struct{})
	go func() { defer close(answered); do("POST", upload).Close() }()
	_, _ = io.WriteString(part, "first")
	if got := <-step; got != "first" {
		t.Errorf("the upstream read %q before the rest was sent", got)
	}
	_, _ = io.WriteString(part, "rest")
	part.Close()
	if got := <-step; got != "rest" {
		t.Errorf("the upstream read %q", got)
	}
	<-answered

	go func() { step <- "one" }()
	body := do("GET", nil)
	defer body.Close()
	events := bufio.NewReader(body)
	for _, next := range []string{"one", "two"} {
		if line, _ := events.ReadString('\n'); line != next+"\n" {
			t.Errorf("read %q, want %q before the answer ends", line, next)
		}
		if next == "one" {
			step <- "two"
		}
	}
	close(step)
}

// Some servers keep space around a name, or fold other letters than net/http does.
func TestRemoveIdentityKnowsEverySpelling(t *testing.T) {
	for name, want := range map[string]bool{
		"remote-user ": false, " Remote_User": false, "REMOTE\tUSER": false, "Remote.User": false, "X_AUTH_REQUEST_EMAIL": false,
		"cf_access_authenticated_user_email\t": false, "CF-ACCESS_JWT-ASSERTION ": false, "Cf-Access-Jwt-Assertion": false,
		"X-Remote-User": true, "Cf-Access-Client-Id": true,
	} {
		h := http.Header{name: {"x"}}
		removeIdentity(h, false)
		if _, kept := h[name]; kept != want {
			t.Errorf("%q: kept %v, want %v", name, kept, want)
		}
	}
}
