// Package dev is Cloudflare Access on localhost, for the development of an
// application in any language. It is a reverse proxy that does what Cloudflare's
// edge does: it asks for a login, and sends the application the header and the
// cookie with a signed token. Its keys are its own.
//
// The configuration file is YAML. Every field is optional, but an application
// needs an upstream:
//
//	people:                                 # buttons on the login page
//	  - email: ada@example.com              # required
//	    name: Ada Lovelace
//	    groups: [engineering, {id: "7", name: admins}] # what get-identity answers
//	    country: GB
//	    custom: {department: research}      # the token's custom claim
//	services:                               # service tokens, good for every application
//	  - {id: ci.access, secret: s3cret}     # CF-Access-Client-Id, CF-Access-Client-Secret
//	applications:                           # instead of --upstream
//	  - name: shop                          # unique
//	    upstream: http://127.0.0.1:3000     # required
//	    addr: 127.0.0.1:8000                # default: --addr
//	    host: shop.localhost                # needed where applications share an addr
//	    audience: 32ea…4228                 # AUD tag; default: derived from the name
//	    session: 8h                         # default: --session
//	    bypass: [/healthz, /public]         # these paths and all below them need no login
//	allow_preflight: true                   # pass preflights without a token; default: 403
//
// A request goes to the application whose host it names, and if there is none but
// the name is a loopback one, to the first application of that address. Others get
// 421, so that no web page can reach the proxy by DNS rebinding. The names
// localhost and *.localhost and the loopback addresses are loopback names.
//
// Every application serves certs, get-identity, login and logout below
// /cdn-cgi/access/. The issuer is the URL of the first application's address.
package dev
