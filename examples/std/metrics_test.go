package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

const (
	aud            = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"
	operationsPage = "../../docs/operations.md"
)

// A measured server is the example's, with the handler of its metrics.
type measured struct {
	team         *accesstest.Team
	app, metrics http.Handler

	ada, eve, bot string // tokens
}

func newMeasured(t *testing.T) *measured {
	t.Helper()
	m := &measured{team: accesstest.NewTeam("acme")}
	t.Cleanup(m.team.Close)
	verifier, metrics, err := withMetrics(core.Config{Team: "acme", Audiences: []string{aud}, Endpoint: m.team.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.app, m.metrics = newHandler(verifier), metrics
	m.ada = m.team.SignUser(aud, "ada@example.com")
	m.eve = m.team.SignUser(aud, "eve@elsewhere.example")
	m.bot = m.team.SignService(aud, "bot.access")
	return m
}

func (m *measured) get(path, token string) {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Header.Set(core.TokenHeader, token)
	m.app.ServeHTTP(httptest.NewRecorder(), request)
}

// unknownKey sends a token that makes the verifier fetch the keys.
func (m *measured) unknownKey() {
	m.get("/", m.team.SignUser(aud, "ada@example.com", accesstest.WithHeader("kid", "unknown")))
}

func (m *measured) scrape() string {
	recorder := httptest.NewRecorder()
	m.metrics.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return recorder.Body.String()
}

// day is what the scrapes in docs/operations.md are of.
func (m *measured) day() (before, after string) {
	for range 5 {
		m.get("/", m.ada)
	}
	m.get("/", m.bot)
	m.get("/welcome", "")
	m.get("/admin/", m.eve)
	m.get("/", "")
	before = m.scrape()
	m.team.Fail(http.StatusServiceUnavailable)
	m.get("/", m.ada)
	m.unknownKey()
	return before, m.scrape()
}

// docs/operations.md shows parts of two scrapes.
func TestDocumentedScrapes(t *testing.T) {
	before, after := newMeasured(t).day()
	blocks := blocksOf(t, operationsPage, "text")
	if len(blocks) != 2 {
		t.Fatalf("%d scrapes, want 2", len(blocks))
	}
	varies := regexp.MustCompile(`^(cfaccess_keys_\w+|cfaccess_cache_usage_bytes|\w+_seconds_sum\S*) .*`)
	for i, scrape := range []string{before, after} {
		got := map[string]bool{}
		for line := range strings.Lines(scrape) {
			got[varies.ReplaceAllString(strings.TrimSpace(line), "$1")] = true
		}
		for line := range strings.Lines(blocks[i]) {
			if !got[varies.ReplaceAllString(strings.TrimSpace(line), "$1")] {
				t.Errorf("scrape %d has no line %s\n%s", i+1, line, scrape)
			}
		}
	}
}

// Each query of the dashboard and each alert name metrics and labels that exist.
func TestQueriesNameExistingMetrics(t *testing.T) {
	_, scrape := newMeasured(t).day()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(scrape))
	if err != nil {
		t.Fatal(err)
	}
	metrics, labels := map[string]bool{}, map[string]bool{"job": true, "instance": true, "le": true}
	for name, family := range families {
		metrics[name], metrics[name+"_bucket"] = true, family.Metric[0].Histogram != nil
		for _, metric := range family.Metric {
			for _, label := range metric.Label {
				labels[label.GetName()] = true
			}
		}
	}
	queries := slices.Concat(dashboardQueries(t), alertQueries(t))
	for _, query := range queries {
		named, selected := vocabulary(query)
		if len(named) == 0 {
			t.Errorf("%s names no metric", query)
		}
		for _, name := range named {
			if !metrics[name] {
				t.Errorf("%s: there is no metric %s", query, name)
			}
		}
		for _, name := range selected {
			if !labels[name] {
				t.Errorf("%s: there is no label %s", query, name)
			}
		}
	}
	used := strings.Join(queries, "\n")
	for name := range families {
		if strings.HasPrefix(name, "cfaccess_") && !strings.Contains(used, name) {
			t.Errorf("no query uses %s", name)
		}
	}
}

// vocabulary returns the metrics and labels that a query names.
func vocabulary(query string) (metrics, labels []string) {
	query = regexp.MustCompile(`"[^"]*"`).ReplaceAllString(query, "")
	lists := regexp.MustCompile(`\{[^}]*\}|(?:by|on) \([^)]*\)`)
	word := regexp.MustCompile(`[a-z]\w*`)
	for _, list := range lists.FindAllString(query, -1) {
		list = strings.TrimPrefix(strings.TrimPrefix(list, "by "), "on ")
		labels = append(labels, word.FindAllString(list, -1)...)
	}
	return regexp.MustCompile(`cfaccess_\w+`).FindAllString(lists.ReplaceAllString(query, ""), -1), labels
}

func dashboardQueries(t *testing.T) (queries []string) {
	t.Helper()
	content, err := os.ReadFile("../../docs/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		if len(panel.Targets) == 0 {
			t.Errorf("panel %q has no query", panel.Title)
		}
		for _, target := range panel.Targets {
			queries = append(queries, target.Expr)
		}
	}
	if len(queries) == 0 {
		t.Fatal("the dashboard has no query")
	}
	return queries
}

func alertRules(t *testing.T) string {
	t.Helper()
	blocks := blocksOf(t, operationsPage, "yaml")
	if len(blocks) != 1 {
		t.Fatalf("%d blocks of alerts, want 1", len(blocks))
	}
	return blocks[0]
}

func alertQueries(t *testing.T) (queries []string) {
	t.Helper()
	for _, match := range regexp.MustCompile(`(?m)^ *expr: (.+)$`).FindAllStringSubmatch(alertRules(t), -1) {
		queries = append(queries, match[1])
	}
	if len(queries) != 5 {
		t.Fatalf("%d alerts, want 5", len(queries))
	}
	return queries
}

// blocksOf returns the blocks of a document in one language.
func blocksOf(t *testing.T, path, language string) (blocks []string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(content), -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

// Each alert fires for its fault, and none without one.
func TestAlerts(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not on PATH: only TestQueriesNameExistingMetrics looks at the alerts")
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "alerts.yml"), []byte(alertRules(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("testdata/alerts_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "alerts_test.yml"), tests, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), promtool, "test", "rules", "alerts_test.yml")
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// A real Prometheus scrapes the example for 20 seconds, with an outage in it.
// Then all queries of the dashboard have data, and all alerts can be evaluated.
func TestPrometheus(t *testing.T) {
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not on PATH: only TestQueriesNameExistingMetrics runs, with Prometheus's parser expfmt")
	}
	if testing.Short() {
		t.Skip("takes 25 seconds")
	}
	m := newMeasured(t)
	target := httptest.NewServer(m.metrics)
	defer target.Close()
	api := startPrometheus(t, binary, target.Listener.Addr().String())

	for began, failing := time.Now(), false; time.Since(began) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
		if !failing && time.Since(began) > 8*time.Second {
			m.team.Fail(http.StatusServiceUnavailable)
			failing = true
		}
		if failing && time.Since(began) > 14*time.Second {
			m.team.Recover()
		}
		m.get("/", m.ada)
		m.get("/", m.team.SignService(aud, "bot.access"))
		m.get("/welcome", "")
		m.get("/admin/", m.eve)
		m.unknownKey()
	}

	variables := strings.NewReplacer("$__rate_interval", "10s", "$job", ".*")
	for _, query := range dashboardQueries(t) {
		var answer struct {
			Data struct{ Result []struct{ Value [2]any } }
		}
		ask(t, api+"/api/v1/query?query="+url.QueryEscape(variables.Replace(query)), &answer)
		for _, series := range answer.Data.Result {
			if value, err := strconv.ParseFloat(fmt.Sprint(series.Value[1]), 64); err != nil || math.IsNaN(value) {
				t.Errorf("%s: got %v", query, series.Value[1])
			}
		}
		if len(answer.Data.Result) == 0 {
			t.Errorf("%s: no data", query)
		}
		t.Logf("%d series: %s", len(answer.Data.Result), query)
	}

	var rules struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, State, LastError string }
			}
		}
	}
	ask(t, api+"/api/v1/rules", &rules)
	states := map[string]string{}
	for _, group := range rules.Data.Groups {
		for _, rule := range group.Rules {
			states[rule.Name] = rule.State
			if rule.Health != "ok" {
				t.Errorf("alert %s: %s %s", rule.Name, rule.Health, rule.LastError)
			}
		}
	}
	if len(states) != 5 {
		t.Errorf("alerts %q, want 5", slices.Sorted(maps.Keys(states)))
	}
	t.Log(states)
}

// startPrometheus returns the URL of a Prometheus that scrapes target each second.
func startPrometheus(t *testing.T, binary, target string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range map[string]string{
		"alerts.yml": alertRules(t),
		"prometheus.yml": "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [alerts.yml]\n" +
			"scrape_configs: [{job_name: example, static_configs: [{targets: ['" + target + "']}]}]\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := fmt.Sprint("127.0.0.1:", 10000+rand.IntN(20000)) // no port that the system gives to connections
	command := exec.CommandContext(t.Context(), binary, "--config.file="+filepath.Join(folder, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+address, "--log.level=warn")
	command.Stderr = t.Output()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Wait() }) // the test's context has killed it
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if response, err := http.Get("http://" + address + "/-/ready"); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return "http://" + address
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("prometheus doesn't start")
		}
	}
}

func ask(t *testing.T, url string, answer any) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, answer); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", url, response.StatusCode, body, err)
	}
}
