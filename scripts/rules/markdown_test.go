package rules

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A document is a Markdown file, taken apart.
type document struct {
	prose  string // without its code
	blocks []block
}

// A block is fenced code, without the indentation of its fence. Its info string
// says what it is: "sh run" is a shell command that has to succeed.
type block struct{ info, code string }

var fences = regexp.MustCompile("(?ms)^( *)```([^\n]*)\n(.*?)^ *```$")

func parseMarkdown(content string) (d document) {
	for _, match := range fences.FindAllStringSubmatch(content, -1) {
		code := strings.TrimPrefix(strings.ReplaceAll("\n"+match[3], "\n"+match[1], "\n"), "\n")
		d.blocks = append(d.blocks, block{strings.TrimSpace(match[2]), code})
	}
	d.prose = fences.ReplaceAllString(content, "")
	return d
}

// anchors returns the fragments under which GitHub shows the headings.
func (d document) anchors() (found []string) {
	for _, match := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(d.prose, -1) {
		heading := strings.ToLower(strings.TrimSpace(match[1]))
		heading = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`).ReplaceAllString(heading, "")
		found = append(found, strings.ReplaceAll(heading, " ", "-"))
	}
	return found
}

// A link is one that stays in the repository.
type link struct{ text, path, fragment string }

var links = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"`)

func (d document) links(t *testing.T) (found []link) {
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

func TestEveryRelativeLinkLeadsSomewhere(t *testing.T) {
	for _, file := range files(t, ".md") {
		d := parseMarkdown(string(read(t, file)))
		for _, l := range d.links(t) {
			target := file
			if l.path != "" {
				target = path.Join(path.Dir(file), l.path)
			}
			info, err := os.Stat(filepath.Join(root, target))
			if err != nil {
				t.Errorf("%s links to %s: %v", file, l.path, err)
				continue
			}
			if l.fragment != "" && (info.IsDir() || !slices.Contains(parseMarkdown(string(read(t, target))).anchors(), l.fragment)) {
				t.Errorf("%s links to %s#%s: no such heading", file, l.path, l.fragment)
			}
		}
	}
}

// A document that names a test as its witness names one that there is.
func TestEveryTestThatIsLinkedExists(t *testing.T) {
	isTest := regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)\w+$`)
	linked := 0
	for _, file := range files(t, ".md") {
		d := parseMarkdown(string(read(t, file)))
		for _, l := range d.links(t) {
			if !isTest.MatchString(l.text) || !strings.HasSuffix(l.path, "_test.go") {
				continue
			}
			linked++
			source := string(read(t, path.Join(path.Dir(file), l.path)))
			if !strings.Contains(source, "func "+l.text+"(") {
				t.Errorf("%s: %s has no %s", file, l.path, l.text)
			}
		}
	}
	if linked == 0 {
		t.Error("no document links to a test")
	}
}

// The README shows some rows of the situations as they were recorded.
func TestREADMESituationsAreRecorded(t *testing.T) {
	recorded := strings.Split(string(read(t, "scripts/bench/situations.md")), "\n")
	_, section, _ := strings.Cut(string(read(t, "README.md")), "## What other validators do\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := 0
	for line := range strings.SplitSeq(section, "\n") {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		rows++
		if !slices.Contains(recorded, line) {
			t.Errorf("not in scripts/bench/situations.md: %s", line)
		}
	}
	if rows < 3 {
		t.Errorf("%d rows in the README", rows)
	}
}

// What the documentation tells a reader to run runs: the blocks marked so.
func TestEveryMarkedCommandRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	ran := 0
	for _, file := range files(t, ".md") {
		for _, b := range parseMarkdown(string(read(t, file))).blocks {
			if b.info != "sh run" {
				continue
			}
			ran++
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", b.code)
			command.Dir = root
			command.WaitDelay = time.Second // what bash started may outlive it
			if output, err := command.CombinedOutput(); err != nil {
				t.Errorf("%s: %s%v\n%s", file, b.code, err, output)
			}
		}
	}
	if ran == 0 {
		t.Error("no document has a block marked: sh run")
	}
}
