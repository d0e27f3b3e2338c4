package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/scripts/table"
)

// A report is what a run has found.
type report struct {
	seed  uint64
	took  time.Duration
	tally *tally
}

// A section is a table with a title and a sentence or two.
type section struct {
	title, text string
	table       table.Table
}

func (r *report) sections() []section {
	return []section{
		r.totals(),
		r.differences(oursStricter, "Ours refuses, a peer accepts", "The rules of ours that a peer doesn't have, or reads otherwise."),
		r.differences(peerStricter, "Ours accepts, a peer refuses", "The reasons of a peer that don't bind ours."),
		r.rules(),
		r.kinds(),
	}
}

func (r *report) totals() section {
	t := r.tally
	s := section{title: "Totals", table: table.Table{Head: []string{"tokens", "count"}}}
	add := func(what string, count int) { s.table.Add(what, table.Thousands(count)) }
	add("all", t.tokens)
	add("accepted by all", t.acceptedByAll)
	add("refused by all", t.refusedByAll)
	for i, name := range peers {
		add("differing between ours and "+name, t.differing[i])
	}
	add("accepted by ours", t.accepted)
	for _, class := range errorClasses {
		add("refused by ours: "+strings.TrimPrefix(class.Error(), "cfaccess: "), t.refused[class])
	}
	add("judged with the token as it was signed remembered", t.remembering)
	add("undecided: a date was reached meanwhile", t.undecided)
	add("failures", t.failed)
	return s
}

// differences has a row for each class, with a column for each peer.
func (r *report) differences(classes []class, title, text string) section {
	s := section{title: title, text: text, table: table.Table{
		Head: slices.Concat([]string{"class"}, peers[:], []string{"why"}),
		Text: []int{1 + len(peers)},
	}}
	type row struct {
		why    string
		counts map[string]int
	}
	rows := make(map[string]*row)
	var names []string
	for i := range classes {
		c := &classes[i]
		if rows[c.name] == nil {
			rows[c.name] = &row{why: c.why, counts: make(map[string]int)}
			names = append(names, c.name)
		} else if !strings.Contains(rows[c.name].why, c.why) {
			rows[c.name].why += "; " + c.peer + ": " + c.why
		}
		rows[c.name].counts[c.peer] += r.tally.classes[c]
	}
	slices.Sort(names)
	for _, name := range names {
		cells := []string{name}
		for _, peer := range peers {
			if count, ok := rows[name].counts[peer]; ok {
				cells = append(cells, table.Thousands(count))
			} else {
				cells = append(cells, "")
			}
		}
		s.table.Add(append(cells, rows[name].why)...)
	}
	return s
}

func (r *report) rules() section {
	s := section{
		title: "Rules", text: "How many tokens break each. Those that break no other are what a verifier without the rule would accept.",
		table: table.Table{Head: []string{"rule", "broken", "broken alone"}},
	}
	for i := range ruleCount {
		s.table.Add(i.String(), table.Thousands(r.tally.broken[i]), table.Thousands(r.tally.alone[i]))
	}
	return s
}

func (r *report) kinds() section {
	s := section{
		title: "Mutations", text: "Most tokens have several. Some leave a token good.",
		table: table.Table{Head: []string{"mutation", "tokens", "accepted by ours"}},
	}
	for _, name := range slices.Sorted(maps.Keys(r.tally.kinds)) {
		k := r.tally.kinds[name]
		s.table.Add(name, table.Thousands(k.tokens), table.Thousands(k.accepted))
	}
	return s
}

func (r *report) summary() string {
	verdict := "No difference is without a name."
	if err := r.tally.verdict(); err != nil {
		verdict = "FAILED: " + err.Error() + "."
	}
	return fmt.Sprintf("%s tokens from seed %d in %v, on %d cores with %s. %s",
		table.Thousands(r.tally.tokens), r.seed, r.took.Round(time.Second), runtime.GOMAXPROCS(0), runtime.Version(), verdict)
}

func (r *report) print(w io.Writer) {
	fmt.Fprintln(w, r.summary())
	for _, s := range r.sections() {
		fmt.Fprintf(w, "\n== %s\n\n%s", s.title, s.table.Terminal())
	}
}

// write leaves results.md in directory.
func (r *report) write(directory string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Results\n\nWritten by `./scripts/differential.sh -seed %d -n %d -out scripts/soak/differential`; changes by hand are lost.\n\n%s\n",
		r.seed, r.tally.tokens, r.summary())
	for _, s := range r.sections() {
		fmt.Fprintf(&b, "\n## %s\n", s.title)
		if s.text != "" {
			fmt.Fprintf(&b, "\n%s\n", s.text)
		}
		fmt.Fprintf(&b, "\n%s", s.table.Markdown())
	}
	if err := os.WriteFile(filepath.Join(directory, "results.md"), []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}
