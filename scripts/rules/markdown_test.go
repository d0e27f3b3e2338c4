package rules

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A document is a Markdown file.
type document struct {
	prose  string // without its code
	blocks []block
}

// A block is fenced code, without the indentation of its fence.
type block struct {
	language, code string
	line           int // of the document, at which the code begins
}

var fences = regexp.MustCompile("(?ms)^( *)```([^\n]*)\n(.*?)^ *```$")

func parseMarkdown(content string) (d document) {
	for _, at := range fences.FindAllStringSubmatchIndex(content, -1) {
		indentation, language, code := content[at[2]:at[3]], content[at[4]:at[5]], content[at[6]:at[7]]
		code = strings.TrimPrefix(strings.ReplaceAll("\n"+code, "\n"+indentation, "\n"), "\n")
		d.blocks = append(d.blocks, block{strings.TrimSpace(language), code, strings.Count(content[:at[6]], "\n") + 1})
	}
	d.prose = fences.ReplaceAllString(content, "")
	return d
}

// documents returns the Markdown files by their paths.
func documents(t *testing.T) map[string]document {
	t.Helper()
	found := map[string]document{}
	for _, file := range files(t, ".md") {
		found[file] = parseMarkdown(string(read(t, file)))
	}
	return found
}

var (
	headings   = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInLinks = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// fragments returns the fragments under which GitHub shows the headings.
func (d document) fragments() (found []string) {
	for _, match := range headings.FindAllStringSubmatch(d.prose, -1) {
		heading := notInLinks.ReplaceAllString(strings.ToLower(strings.TrimSpace(match[1])), "")
		found = append(found, strings.ReplaceAll(heading, " ", "-"))
	}
	return found
}

// A link is one that stays in the repository.
type link struct{ text, path, fragment string }

var links = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"`)

func (d document) links(t *testing.T) (found []link) {
	t.Helper()
	for _, match := range links.FindAllStringSubmatch(d.prose, -1) {
		target, err := url.Parse(match[2] + match[3])
		if err != nil {
			t.Error(err)
		} else if target.Scheme == "" && target.Host == "" {
			found = append(found, link{strings.Trim(match[1], "`"), target.Path, target.Fragment})
		}
	}
	return found
}

func TestLinksLeadSomewhere(t *testing.T) {
	all := documents(t)
	for file, d := range all {
		for _, l := range d.links(t) {
			target := file
			if l.path != "" {
				target = path.Join(path.Dir(file), l.path)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s: %v", file, l.path, err)
			} else if l.fragment != "" && !slices.Contains(all[target].fragments(), l.fragment) {
				t.Errorf("%s links to %s#%s: no such heading", file, l.path, l.fragment)
			}
		}
	}
}

// SECURITY.md links each guarantee to its tests.
func TestLinkedTestsExist(t *testing.T) {
	isTest := regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)\w+$`)
	linked := map[string]int{}
	for file, d := range documents(t) {
		for _, l := range d.links(t) {
			if !isTest.MatchString(l.text) || !strings.HasSuffix(l.path, "_test.go") {
				continue
			}
			linked[file]++
			target := path.Join(path.Dir(file), l.path)
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				continue // TestLinksLeadSomewhere reports it
			}
			if !strings.Contains(string(read(t, target)), "func "+l.text+"(") {
				t.Errorf("%s: %s has no %s", file, l.path, l.text)
			}
		}
	}
	if linked["SECURITY.md"] == 0 {
		t.Error("SECURITY.md links to no test")
	}
}

// Commands begin with scripts of this repository, and name its folders and modules.
func TestCommandsExist(t *testing.T) {
	ofTree := regexp.MustCompile(`(?m)(?:^|\s)\./([\w./-]+)`)
	ofModule := regexp.MustCompile(`go (?:get|install) ` + regexp.QuoteMeta(prefix) + `([\w/]+)`)
	for file, d := range documents(t) {
		for _, b := range d.blocks {
			if b.language != "sh" {
				continue
			}
			for _, match := range ofTree.FindAllStringSubmatch(b.code, -1) {
				name := strings.TrimSuffix(match[1], "...")
				if _, err := os.Stat(filepath.Join(root, name)); err != nil {
					t.Errorf("%s has a command with ./%s: %v", file, match[1], err)
				}
			}
			for _, match := range ofModule.FindAllStringSubmatch(b.code, -1) {
				if _, ok := modules(t)[match[1]]; !ok {
					t.Errorf("%s has a command with %s%s, which is no module", file, prefix, match[1])
				}
			}
		}
	}
}

// The README shows some rows of a table that docs/comparison.md has whole.
func TestREADMERowsAreOfTheComparison(t *testing.T) {
	recorded := strings.Split(string(read(t, "docs/comparison.md")), "\n")
	_, section, _ := strings.Cut(string(read(t, "README.md")), "\n## What other validators do\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := 0
	for line := range strings.SplitSeq(section, "\n") {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		rows++
		if !slices.Contains(recorded, line) {
			t.Errorf("docs/comparison.md doesn't have this row of the README: %s", line)
		}
	}
	if rows < 3 {
		t.Errorf("the README has %d rows of the comparison", rows)
	}
}
