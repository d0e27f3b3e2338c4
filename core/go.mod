module github.com/cfaccess/cfaccess/core

go 1.25.0

require (
	github.com/MicahParks/jwkset v0.11.3
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/maypok86/otter/v2 v2.4.0
)

require golang.org/x/time v0.15.0 // indirect
