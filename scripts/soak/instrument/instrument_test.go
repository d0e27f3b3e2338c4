package instrument

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A server under instruments tells of its fetches, looks at itself when it is
// told to, and stops when stdin ends.
func TestSupervise(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	team := accesstest.NewTeam("acme")
	defer team.Close()
	settings, err := json.Marshal(Settings{
		Name: "std", AdminDomain: "admins.example", Team: "acme", Audience: "aud", Endpoint: team.URL, FetchTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	in, orders := io.Pipe()
	events, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- supervise(func(ctx context.Context, cfg core.Config, addr, adminDomain string) error {
			v, err := core.New(cfg)
			if err != nil {
				return err
			}
			if err := v.Refresh(ctx); err != nil || adminDomain != "admins.example" || addr != "127.0.0.1:0" {
				t.Errorf("got %v, %s, %s", err, adminDomain, addr)
			}
			slog.Info("serving", "url", "http://here")
			<-ctx.Done()
			return nil
		}, string(settings), in, out)
	}()

	decoder := json.NewDecoder(events)
	next := func(kind string) (e Event) {
		if err := decoder.Decode(&e); err != nil || e.Kind != kind || e.Since <= 0 {
			t.Fatalf("got %+v, %v, want %s", e, err, kind)
		}
		return e
	}
	if e := next(Begun); e.Fetch != 1 || e.AtOnce != 1 {
		t.Errorf("got %+v, want the first fetch alone", e)
	}
	if e := next(Landed); e.Fetch != 1 || e.Reason != core.ReasonAsked || e.Err != "" || e.Bytes != int64(len(team.Certs())) {
		t.Errorf("got %+v, want the document", e)
	}
	if e := next(Serving); e.URL != "http://here" {
		t.Errorf("got %+v, want the URL", e)
	}
	if _, err := io.WriteString(orders, "sample\n"); err != nil {
		t.Fatal(err)
	}
	if e := next(Sampled); e.Sample.Goroutines < 3 || e.Sample.Live == 0 {
		t.Errorf("got %+v, want figures", e)
	}
	if err := orders.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestSuperviseWithoutSettings(t *testing.T) {
	if err := supervise(nil, "", nil, nil); err == nil {
		t.Error("no settings are as good as any")
	}
}

func TestJournalTellsOfFailure(t *testing.T) {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	team.Fail(502)
	events, out := io.Pipe()
	j := &journal{began: time.Now(), out: json.NewEncoder(out)}
	v, err := core.New(Settings{Name: "gin", Team: "acme", Audience: "aud", Endpoint: team.URL}.config(j))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = v.Refresh(context.Background()) }()
	decoder := json.NewDecoder(events)
	var begun, landed Event
	if err := decoder.Decode(&begun); err != nil {
		t.Fatal(err)
	}
	if err := decoder.Decode(&landed); err != nil {
		t.Fatal(err)
	}
	if begun.Kind != Begun || landed.Kind != Landed || landed.Err == "" {
		t.Errorf("got %+v and %+v, want a failed fetch", begun, landed)
	}
}
