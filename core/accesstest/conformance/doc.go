// Package conformance is the one suite that every adapter of cfaccess passes,
// so that a request gets the same decision, in the same words, whichever
// framework it comes through. Run it on an adapter for another framework, too.
//
// The test of an adapter is a function that builds the server which a [Site]
// describes, in the idiom of its framework; [Run] calls it and does the rest.
// The routes are the Path constants. Behind most of them stands a handler that
// tells what it sees: [Site.WhoAmI] for a framework on net/http, [Site.Report]
// for another. Whole examples are the files conformance_test.go of stdaccess,
// ginaccess, echoaccess, echo5access, fiberaccess and fiber3access.
//
// The server must be a real one, listening on loopback: what gets lost between
// a framework and its socket is part of what is tested. It takes header blocks
// of 16 KiB, as the documentation of the adapter has to tell its users, since a
// browser's request carries the token twice.
//
// A subtest is named for what it looks at. One that fails says which rule was
// broken. Begin with -run 'Conformance/(claims|token)': what fails there makes
// others fail. With -short the suite takes about half a second, otherwise about two
// and a half, most of it for a crowd of callers at the same time.
//
// What is not tested: what the tests of core say of the decision itself, and
// what only one framework has, such as where it keeps values or how an error
// finds its central handler.
package conformance
