package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// What can be done to the members of any object. Each returns what it did, or
// "" if there was nothing to change.

// remove takes a member out.
func remove(o *object, r *rand.Rand) string {
	if len(*o) == 0 {
		return ""
	}
	i := r.IntN(len(*o))
	name := (*o)[i].name
	*o = slices.Delete(*o, i, i+1)
	return name
}

// replace gives a member one of these values.
func replace(o *object, r *rand.Rand, values ...string) string {
	if len(*o) == 0 {
		return ""
	}
	m := &(*o)[r.IntN(len(*o))]
	value := pick(r, values...)
	if value == m.value {
		return ""
	}
	m.value = value
	return m.name + "=" + brief(value)
}

// change gives a member another value, and adds the member if there is none.
func change(o *object, name, value string) string {
	if o.value(name) == value {
		return ""
	}
	o.set(name, value)
	return name + "=" + brief(value)
}

// add appends a member or puts it in front. There may be one of that name.
func add(o *object, name, value string, r *rand.Rand) string {
	m := member{quote(name), value}
	if r.IntN(2) == 0 {
		*o = append(*o, m)
	} else {
		*o = slices.Insert(*o, 0, m)
	}
	return m.name + "=" + brief(value)
}

// repeat adds members that are there already, before or after. Several, so that
// a third value meets what the first two left behind.
func repeat(d *draft, o *object, r *rand.Rand, value valueOf) string {
	return addBeside(d, o, r, value, func(name string, _ *rand.Rand) string { return name })
}

// shadow adds members whose names differ in case from one that is there.
func shadow(d *draft, o *object, r *rand.Rand, value valueOf) string {
	return addBeside(d, o, r, value, inAnotherCase)
}

// valueOf returns a value for the member of that name, good or bad.
type valueOf func(d *draft, name string, r *rand.Rand) string

func addBeside(d *draft, o *object, r *rand.Rand, value valueOf, respell func(string, *rand.Rand) string) string {
	if len(*o) == 0 {
		return ""
	}
	name := pick(r, *o...).name
	var what []string
	for range pick(r, 1, 1, 2) {
		m := member{respell(name, r), value(d, strings.Trim(name, `"`), r)}
		*o = slices.Insert(*o, r.IntN(len(*o)+1), m)
		what = append(what, m.name+"="+brief(m.value))
	}
	return strings.Join(what, " ")
}

// shuffle puts the members into another order.
func shuffle(o object, r *rand.Rand) string {
	before := slices.Clone(o)
	r.Shuffle(len(o), func(i, j int) { o[i], o[j] = o[j], o[i] })
	if slices.Equal(o, before) {
		return ""
	}
	return "shuffled"
}

// rename spells the name of a member in another way.
func rename(o *object, r *rand.Rand, respell func(name string, r *rand.Rand) string) string {
	if len(*o) == 0 {
		return ""
	}
	m := &(*o)[r.IntN(len(*o))]
	name := respell(m.name, r)
	if name == m.name {
		return ""
	}
	m.name = name
	return brief(name)
}

// inAnotherCase returns a name that differs in case only. Unicode folds two
// more characters to k and s: the Kelvin sign and the long s.
func inAnotherCase(name string, r *rand.Rand) string {
	switch r.IntN(4) {
	case 0:
		return strings.ToUpper(name)
	case 1:
		return name[:1] + strings.ToUpper(name[1:min(2, len(name))]) + name[min(2, len(name)):]
	case 2:
		return strings.NewReplacer("k", "\u212a", "s", "\u017f").Replace(name)
	}
	runes := []rune(name)
	i := r.IntN(len(runes))
	return string(runes[:i]) + strings.ToUpper(string(runes[i])) + string(runes[i+1:])
}

// escaped returns the same name with some of its characters escaped.
func escaped(name string, r *rand.Rand) string {
	var b strings.Builder
	for _, c := range name {
		if c >= 'a' && c <= 'z' && r.IntN(2) == 0 {
			fmt.Fprintf(&b, pick(r, `\u%04x`, `\u%04X`), c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// misspelling returns a name that looks like it and is another.
func misspelling(name string, r *rand.Rand) string {
	inner := strings.Trim(name, `"`)
	return pick(r, `"`+inner+` "`, `" `+inner+`"`, `"`+inner+`\u0000"`, `"`+inner+"\u200b"+`"`, `"`+inner+inner+`"`, `"`+inner+`\n"`,
		strings.NewReplacer("a", "а", "e", "е", "i", "і").Replace(name), `"`+inner+"\xff"+`"`, `"\u0000`+inner+`"`)
}

// inOtherUnicode changes the characters of a string, or only their spelling.
func inOtherUnicode(o *object, name string, r *rand.Rand) string {
	value := o.value(name)
	quotation := strings.IndexByte(value, '"')
	if quotation < 0 || len(value) < quotation+3 {
		return ""
	}
	c := value[quotation+1]
	if c == '"' || c == '\\' || c >= 0x80 {
		return ""
	}
	instead := pick(r, fmt.Sprintf(`\u%04x`, c), string(c)+"\u0301", "\u200b"+string(c), "\ufeff"+string(c), string(rune(c)-0x21+0xff01),
		"\xff"+string(c), `\ud83d`,
		`\ud83d\ude00`, "\U0001f600", `\u0000`+string(c), "\xed\xa0\x80")
	o.set(name, value[:quotation+1]+instead+value[quotation+2:])
	return name + "=" + brief(o.value(name))
}

// brief is a value short enough to be shown.
func brief(value string) string {
	if len(value) > 70 {
		return fmt.Sprintf("%q… (%d bytes)", value[:60], len(value))
	}
	return fmt.Sprintf("%q", value)
}
