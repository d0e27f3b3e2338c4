# Reads benchstat's CSV and prints the targets with what was measured.
BEGIN { FS = "," }
$1 == "" { unit = $2; next } # the header of the next unit's table
{ sub(/-[0-9]+$/, "", $1); measured[unit, $1] = $2 } # without GOMAXPROCS

function verify(name, lib) { return measured["sec/op", "Verify/case=" name "/lib=" lib] }
function added(unit, framework, mw) {
	return measured[unit, "HTTP/framework=" framework "/mw=" mw] - measured[unit, "HTTP/framework=" framework "/mw=bare"]
}
function check(what, value, limit) {
	printf "%-58s %7.2f, at most %5.2f%s\n", what, value, limit, (value > limit ? ": MISSED" : "")
}
function framework(name, time, allocations) {
	check(name ": time added, times that of the floor", added("sec/op", name, "protected") / added("sec/op", name, "floor"), time)
	check(name ": allocations added", added("allocs/op", name, "protected"), allocations)
}
# successor compares with the adapter for the version before.
function successor(name, older, allocations) {
	check(name ": time added, times that of " older, added("sec/op", name, "protected") / added("sec/op", older, "protected"), 1)
	check(name ": allocations added", added("allocs/op", name, "protected"), allocations)
}

END {
	check("repeated token: times a map lookup", verify("repeated", "cfaccess") / verify("repeated", "map"), 2)
	check("repeated token: allocations", measured["allocs/op", "Verify/case=repeated/lib=cfaccess"], 0)
	check("first-time token: times golang-jwt + keyfunc", verify("first_time", "cfaccess") / verify("first_time", "golang-jwt+keyfunc"), 1.05)
	check("first-time token: times an RSA verification", verify("first_time", "cfaccess") / verify("first_time", "rsa"), 1.35)
	check("unknown kid: microseconds", verify("unknown_kid", "cfaccess") * 1e6, 10)
	check("forged token of 8 KiB: times an ordinary forged token", verify("forged_8KiB", "cfaccess") / verify("forged", "cfaccess"), 5)
	framework("std", 4, 2)
	framework("gin", 2.5, 4)
	framework("echo", 2.2, 4)
	framework("fiber", 5, 1)
	successor("echo5", "echo", 4)
	successor("fiber3", "fiber", 1)
}
