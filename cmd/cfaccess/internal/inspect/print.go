package inspect

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Print writes a report for people, or as JSON for programs.
func (r *Report) Print(w io.Writer, asJSON bool) {
	if asJSON {
		text, _ := json.Marshal(r) // what came from JSON has a form in JSON
		printRow(w, string(text))
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	printMembers(table, "Header", r.Header)
	printMembers(table, "Claims", r.Claims)
	printRow(table, "Checks")
	marks := map[Result]string{Good: "✓", Bad: "✗", Unknown: "?"}
	for _, c := range r.Checks {
		found := c.Got + " (" + c.Want + ")"
		if c.Got == "" || c.Got == c.Want {
			found = c.Want
		}
		printRow(table, "  "+marks[c.Result]+" "+c.Name, cmp.Or(strings.TrimPrefix(c.Error, "cfaccess: "), found))
		if c.Hint != "" {
			printRow(table, "", "Hint: "+c.Hint)
		}
	}
	printRow(table, "Result: "+string(r.Result))
	table.Flush()
}

func printMembers(w io.Writer, title string, members map[string]json.RawMessage) {
	printRow(w, title)
	if members == nil {
		printRow(w, "  can't be read")
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := string(members[name])
		if seconds, err := strconv.ParseInt(value, 10, 64); err == nil && (name == "exp" || name == "nbf" || name == "iat") {
			value += " = " + relative(time.Unix(seconds, 0))
		}
		printRow(w, "  "+name, value)
	}
}

// PrintKeys fetches the keys of a team, and writes them for people: also if core
// can't use the document as a whole, which is an error.
func PrintKeys(ctx context.Context, w io.Writer, team string) error {
	published := new(certs)
	issuer, err := published.refresh(ctx, team)
	keys := published.keys()
	if len(keys) == 0 {
		return err
	}
	fmt.Fprintf(w, "%s publishes %d keys:\n", issuer, len(keys))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	printRow(table, "KID", "TYPE", "BITS", "ALG", "USE", "STATUS")
	for _, k := range keys {
		bits := 8 * base64.RawURLEncoding.DecodedLen(len(k.N))
		printRow(table, k.KID, k.KTY, strconv.Itoa(bits), k.ALG, k.USE, k.status)
	}
	table.Flush()
	return err
}

// notPrintable is what a terminal acts on or hides: control characters, those that
// set the direction of text or have no width, and bytes that aren't UTF-8.
var notPrintable = regexp.MustCompile("[\x00-\x1f\x7f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffd]")

// printRow writes a row of a table, or JSON. It escapes what is not printable as JSON does.
func printRow(w io.Writer, cells ...string) {
	for i, cell := range cells {
		cells[i] = notPrintable.ReplaceAllStringFunc(cell, func(c string) string { return fmt.Sprintf(`\u%04x`, []rune(c)[0]) })
	}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

// relative returns a date and its distance from now: "in 3h0m0s", or "2 days ago".
func relative(date time.Time) string {
	distance := time.Until(date).Round(time.Second)
	text := distance.Abs().String()
	if days := distance.Abs().Hours() / 24; days >= 2 {
		text = fmt.Sprintf("%.0f days", days)
	}
	if distance < 0 {
		return date.UTC().Format(time.RFC3339) + ", " + text + " ago"
	}
	return date.UTC().Format(time.RFC3339) + ", in " + text
}
