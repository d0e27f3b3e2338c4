package main

import "testing"

func TestReadmeProgram(t *testing.T) {
	const readme = "# x\n\n```go\nfragment()\n```\n\n```go\npackage main\n\nimport \"a/ginaccess\"\n```\n\n```go\npackage main\n\nimport \"a/echoaccess\"\n```\n"
	program, err := readmeProgram(readme, "a/echoaccess")
	if want := "package main\n\nimport \"a/echoaccess\"\n"; err != nil || program != want {
		t.Errorf("got %q, %v; want %q", program, err, want)
	}
	_, err = readmeProgram(readme, "a/stdaccess")
	checkError(t, err, "no program for a/stdaccess")
}
