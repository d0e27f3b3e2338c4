package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

var dateMutations = []mutation{
	{"date at a boundary", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		name, edge := pick(r, "nbf", "iat"), pick(r, 30, 30, 30, 0, -30, 270, 300)
		if r.IntN(3) == 0 {
			name, edge = "exp", pick(r, -30, -30, -30, 0, 30, -300)
		}
		offset := float64(edge) + pick(r, -1, 0, 1, -0.5, 0.5, 0.25, -0.1, 0.2, 2, -2, 3)
		return change(&d.claims, name, seconds(d, offset))
	}},
	{"dates at boundaries", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		var what []string
		for _, name := range []string{"exp", "nbf", "iat"} {
			what = append(what, change(&d.claims, name, seconds(d, float64(r.IntN(80)-40))))
		}
		return strings.Join(what, " ")
	}},
	{"date far away", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		return change(&d.claims, pick(r, "exp", "nbf", "iat"), pick(r,
			"0", "-0", "1", "-1", "-62135596800", "-62135596801", "253402300799", "253402300800", "253402300799.5", "-253402300799", "-253402300800",
			"2147483647", "2147483648", "4294967296", "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
			"18446744073709551616", "18446744075409551616", "1e10", "1e18", "1e19", "1e300", "-1e300", "1e308", "1e309", "1e999", "-1e999", "1e-300", "1e-999",
			"1e999999999999", "1E10", "1e+10", "0.0000001", "0e0", "9999999999", "1700000000000",
		))
	}},
	{"date in another form", levelClaims, stageMembers, func(d *draft, r *rand.Rand) string {
		name := pick(r, "exp", "nbf", "iat")
		value := d.claims.value(name)
		if value == "" {
			value = strconv.FormatInt(d.now.Unix(), 10)
		}
		return change(&d.claims, name, pick(r,
			value+".0", value+".00000000000000000001", value+".999", value+"e0", value+"0e-1", value+"E+0", `"`+value+`"`, `" `+value+`"`, `"`+value+`.5"`,
			`[`+value+`]`, `{"$numberLong":"`+value+`"}`, "0"+value, "+"+value, value+".", "0x"+value, "-"+value,
			`"`+d.now.Add(3600e9).UTC().Format("2006-01-02T15:04:05Z")+`"`,
			value+strings.Repeat("0", r.IntN(400)), value+"."+strings.Repeat("9", r.IntN(400)), "NaN", "Infinity", "1_700_000_000", value+"n",
			`"0x`+strconv.FormatInt(d.now.Unix()+3600, 16)+`"`, `"never"`, "true",
		))
	}},
}

// seconds is the date that is offset from the draft's time, written in one of
// the ways that a number has.
func seconds(d *draft, offset float64) string {
	date := float64(d.now.UnixMilli())/1000 + offset
	if offset == float64(int64(offset)) {
		return strconv.FormatInt(d.now.Unix()+int64(offset), 10)
	}
	return fmt.Sprintf("%.3f", date)
}
