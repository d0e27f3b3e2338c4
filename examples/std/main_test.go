package main

import (
	"io"
	"net/http/httptest"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

func TestServer(t *testing.T) {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{aud}, Endpoint: team.URL})
	if err != nil {
		t.Fatal(err)
	}
	handler := newHandler(verifier)
	ada, eve := team.SignUser(aud, "ada@example.com"), team.SignUser(aud, "eve@elsewhere.example")
	for _, test := range []struct {
		path, token string
		status      int
		body        string // "" is any
	}{
		{"/healthz", "", 200, "ok\n"},
		{"/healthz/", "", 401, ""},
		{"/", "", 401, ""},
		{"/", ada, 200, "hello ada@example.com\n"},
		{"/", team.SignService(aud, "bot.access"), 200, "hello bot.access\n"},
		{"/welcome", "", 200, "hello guest\n"},
		{"/welcome", ada, 200, "hello ada@example.com\n"},
		{"/admin/", "", 401, ""},
		{"/admin/", eve, 403, ""},
		{"/admin/", ada, 200, "hello administrator\n"},
		{"/nowhere", "", 401, ""},
		{"/nowhere", ada, 404, ""},
	} {
		request := httptest.NewRequest("GET", test.path, nil)
		request.Header.Set(core.TokenHeader, test.token)
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		response := recorder.Result()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != test.status || test.body != "" && string(body) != test.body {
			t.Errorf("%s with token %.20q: got %d %s", test.path, test.token, response.StatusCode, body)
		}
	}
}
