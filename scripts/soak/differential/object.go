package main

import (
	"encoding/json"
	"strings"
)

// An object is a JSON object that is still to be written. Unlike a map it may
// have a member twice, in any order, and spelled in any way.
type object []member

// A member is a name and a value as the text has them: the name with its
// quotation marks, either of them well-formed or not.
type member struct{ name, value string }

func (o object) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(m.name + ":" + m.value)
	}
	b.WriteByte('}')
	return b.String()
}

// find returns the index of the first member of that name, or -1.
func (o object) find(name string) int {
	for i, m := range o {
		if m.name == quote(name) {
			return i
		}
	}
	return -1
}

// value returns the text of a member, or "" if there is none.
func (o object) value(name string) string {
	if i := o.find(name); i >= 0 {
		return o[i].value
	}
	return ""
}

// set replaces the first member of that name, or appends one.
func (o *object) set(name, value string) {
	if i := o.find(name); i >= 0 {
		(*o)[i].value = value
		return
	}
	*o = append(*o, member{quote(name), value})
}

// quote is the JSON form of a string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has one
	}
	return string(b)
}
