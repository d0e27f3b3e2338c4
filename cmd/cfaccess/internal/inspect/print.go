package inspect

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

var marks = map[Result]string{Good: "✓", Bad: "✗", Unknown: "?", NotJudged: "–"}

// Print writes a report for people. No control character of the token reaches
// the terminal.
func (r *Report) Print(w io.Writer, now time.Time) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	printMembers(table, "Header", r.Header, now)
	printMembers(table, "Claims", r.Claims, now)
	fmt.Fprintln(table, "Checks")
	for _, c := range r.Checks {
		sides := c.Got + " (" + c.Want + ")"
		switch {
		case c.Error != "":
			sides = strings.TrimPrefix(c.Error, "cfaccess: ")
		case c.Result == NotJudged:
			sides = c.Got + " (not judged)"
		case c.Got == "" || c.Got == c.Want:
			sides = c.Want
		}
		fmt.Fprintf(table, "  %s %s\t%s\n", marks[c.Result], c.Name, printable(sides))
	}
	table.Flush()
	if r.Key != "" {
		fmt.Fprintf(w, "Signed with the %s key.\n", r.Key)
	}
	for _, hint := range r.Hints {
		fmt.Fprintf(w, "Hint: %s.\n", hint)
	}
	fmt.Fprintf(w, "Result: %s: %s\n", r.Result, printable(r.Reason))
}

func printMembers(w io.Writer, title string, members map[string]any, now time.Time) {
	fmt.Fprintln(w, title)
	if members == nil {
		fmt.Fprintln(w, "  can't be read")
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := fmt.Sprint(members[name])
		if _, isText := members[name].(string); !isText {
			text, _ := json.Marshal(members[name])
			value = string(text)
		}
		if seconds, err := strconv.ParseInt(value, 10, 64); err == nil && (name == "exp" || name == "nbf" || name == "iat") {
			date := time.Unix(seconds, 0)
			value += fmt.Sprintf(" = %s, %s", date.UTC().Format(time.RFC3339), relative(date.Sub(now)))
		}
		fmt.Fprintf(w, "  %s\t%s\n", printable(name), printable(value))
	}
}

// PrintKeys writes the published keys for people.
func PrintKeys(w io.Writer, issuer string, keys []Key, now time.Time) {
	fmt.Fprintf(w, "%s publishes %d keys:\n", issuer, len(keys))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KID\tTYPE\tBITS\tALG\tUSE\tSTATUS")
	for _, key := range keys {
		if !key.Since.IsZero() {
			key.Status += fmt.Sprintf(", since %s (%s)", key.Since.UTC().Format(time.DateOnly), relative(key.Since.Sub(now)))
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n",
			printable(key.ID), printable(key.Type), key.Bits, printable(key.Algorithm), printable(key.Use), printable(key.Status))
	}
	table.Flush()
}

// relative returns a distance from now, such as "in 3 h" or "2 days ago".
func relative(d time.Duration) string {
	text := fmt.Sprintf("%.0f days", d.Abs().Hours()/24)
	for _, unit := range []struct {
		most, size time.Duration
		name       string
	}{{2 * time.Minute, time.Second, "s"}, {2 * time.Hour, time.Minute, "min"}, {48 * time.Hour, time.Hour, "h"}} {
		if d.Abs() < unit.most {
			text = fmt.Sprintf("%d %s", d.Abs()/unit.size, unit.name)
			break
		}
	}
	if d < 0 {
		return text + " ago"
	}
	return "in " + text
}

// printable escapes what a terminal would act on.
func printable(s string) string {
	var b strings.Builder
	for _, c := range s {
		if strconv.IsPrint(c) {
			b.WriteRune(c)
		} else {
			fmt.Fprintf(&b, `\u%04x`, c)
		}
	}
	return b.String()
}
