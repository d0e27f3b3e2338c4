package differential

import (
	"fmt"
	"slices"
	"strings"
)

// An edit is one difference from a good token, and the classes that it puts the token
// in. A token has at most one edit of each slot, so that none undoes another.
type edit struct {
	// slot is what the edit changes: "signature", who signs; "header alg", a member;
	// "header", the JSON; "header segment", before signing; "header sent", after it; "token".
	slot    string
	name    string
	apply   func(text string, t *token) string
	classes []*class
}

// forms are edits to each of the forms. {} in a form stands for the text as it was.
func forms(slot string, forms []string, classes ...*class) (edits []edit) {
	for _, form := range forms {
		edits = append(edits, edit{slot, fmt.Sprintf("%.80q", form), func(text string, _ *token) string { return strings.ReplaceAll(form, "{}", text) }, classes})
	}
	return edits
}

// member splits the name of a member, as "claims iss", into its slot and its own
// name. Members that a good token never has share a slot: "claims more nonce".
func member(of string) (slot, name string) {
	words := strings.Split(of, " ")
	return words[0] + " " + words[1], words[len(words)-1]
}

// sets gives a member each of the values.
func sets(of string, values []string, classes ...*class) (edits []edit) {
	slot, name := member(of)
	for _, value := range values {
		edits = append(edits, edit{slot, fmt.Sprintf("%s is %.80q", name, value), func(string, *token) string { return quote(name) + ":" + value }, classes})
	}
	return edits
}

// replaces puts each of these in the place of old, as often as times says.
func replaces(slot string, times int, old string, with []string, classes ...*class) (edits []edit) {
	for _, w := range with {
		edits = append(edits, edit{slot, fmt.Sprintf("%.80q for %q", w, old), func(text string, _ *token) string { return strings.Replace(text, old, w, times) }, classes})
	}
	return edits
}

// renames takes a member away, or gives it a name that differs in more than case, or
// in case alone.
func renames(of string, absent, otherCase []*class) []edit {
	slot, name := member(of)
	return slices.Concat(forms(slot, []string{""}, absent...), replaces(slot, 1, quote(name), quoted(otherCases(name)...), otherCase...),
		replaces(slot, 1, quote(name), quoted(name+" ", name+`\u0000`, name+"\u200b", name+"\u0301", name+name), absent...))
}

// otherCases returns names that differ in case alone. Unicode folds two more
// characters to k and s: the Kelvin sign and the long s.
func otherCases(name string) []string {
	upper := strings.ToUpper(name)
	return []string{upper, upper[:1] + name[1:], name[:2] + strings.NewReplacer("K", "\u212a", "S", "\u017f").Replace(upper[2:])}
}

func quote(s string) string { return `"` + s + `"` }

func quoted(values ...string) []string {
	for i := range values {
		values[i] = quote(values[i])
	}
	return values
}
