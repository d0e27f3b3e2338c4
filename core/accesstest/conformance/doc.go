// Package conformance is the one test suite that every adapter of cfaccess
// passes, so that a request gets the same decision and the same answer with each
// framework. Run it on an adapter for another framework, too.
//
// The test of an adapter is a function that builds the server of an [App] in the
// way of its framework. [Run] calls it and does the rest. The routes are the Path
// constants. Behind most of them stands a handler that reports what it sees:
// [App.WhoAmI] for a framework on net/http, [App.Report] for another. The files
// conformance_test.go of the adapters here are complete examples.
//
// The server is a real one that listens on loopback, since the framework's own
// HTTP code is tested with the adapter. It accepts header blocks of 16 KiB: a
// browser's request carries the token twice.
//
// Each subtest has the name of what it tests. A subtest that fails prints the rule
// that was broken. Start with -run 'Conformance/(claims|token)', since other
// subtests fail where these do.
//
// The suite doesn't repeat core's tests of the decision itself, and leaves to the
// adapter's own tests what only one framework has.
package conformance
