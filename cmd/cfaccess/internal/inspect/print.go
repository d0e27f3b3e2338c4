package inspect

import (
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
	"unicode/utf8"
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

// JSON returns a report for programs. It has no control character either.
func (r *Report) JSON() (string, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	return notPrintable.ReplaceAllStringFunc(string(text), func(c string) string { return fmt.Sprintf(`\u%04x`, []rune(c)[0]) }), err
}

// notPrintable is what encoding/json leaves as it is, and a terminal acts on.
var notPrintable = regexp.MustCompile("[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")

func printMembers(w io.Writer, title string, members map[string]any, now time.Time) {
	fmt.Fprintln(w, title)
	if members == nil {
		fmt.Fprintln(w, "  can't be read")
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value, isText := members[name].(string)
		if !isText {
			text, _ := json.Marshal(members[name])
			value = string(text)
		}
		if seconds, err := strconv.ParseInt(value, 10, 64); err == nil && (name == "exp" || name == "nbf" || name == "iat") {
			value += " = " + relative(time.Unix(seconds, 0), now)
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
			key.Status += ", since " + relative(key.Since, now)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n", printable(key.KID), printable(key.KTY),
			base64.RawURLEncoding.DecodedLen(len(key.N))*8, printable(key.ALG), printable(key.USE), printable(key.Status))
	}
	table.Flush()
}

// relative returns a date and its distance from now, such as "in 3h0m0s" or "2
// days ago".
func relative(date, now time.Time) string {
	distance := date.Sub(now).Round(time.Second)
	text := distance.Abs().String()
	if days := distance.Abs().Hours() / 24; days >= 2 {
		text = fmt.Sprintf("%.0f days", days)
	}
	if distance < 0 {
		return date.UTC().Format(time.RFC3339) + ", " + text + " ago"
	}
	return date.UTC().Format(time.RFC3339) + ", in " + text
}

// printable replaces what a terminal would act on.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if strconv.IsPrint(c) {
			return c
		}
		return utf8.RuneError
	}, s)
}
