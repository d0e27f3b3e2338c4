package core

import (
	"maps"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
)

// Forward returns r as the handler behind the verifier sees it: with c in
// its context, and with [EmailHeader] overwritten by the verified email, or
// removed where there is none. Every other spelling of the name that
// [IsEmailHeader] knows is removed, and so is its mention in Connection, which
// would make a reverse proxy drop it. Trailers are dropped: net/http fills them in
// later, with forged ones among them. r and its header map are not changed: Forward
// changes copies. An adapter for net/http copies the MultipartForm back to r after
// the handler, since the server removes the files of r's form only.
//
// A nil c stands for a request that was not verified. Claims that an outer
// middleware put into its context stay, and so does their email.
func Forward(r *http.Request, c *Claims) *http.Request {
	ctx, isNew := r.Context(), c != nil
	if isNew {
		ctx = NewContext(ctx, c)
	} else {
		c, _ = FromContext(ctx)
	}
	var email string
	if c != nil {
		email = c.Email
	}
	header := forwardHeader(r.Header, email)
	if !isNew && header == nil && r.Trailer == nil && r.TransferEncoding == nil {
		return r
	}
	r = r.WithContext(ctx) // a shallow copy
	if header != nil {
		r.Header = header
	}
	r.Trailer = nil
	return r
}

// forwardHeader returns a copy of h with the verified email, or nil if h is
// right as it stands. The values of other fields are shared.
func forwardHeader(h http.Header, email string) http.Header {
	connection := h["Connection"]
	sent, isSent := h[EmailHeader]
	isRight := !isSent && email == "" || len(sent) == 1 && sent[0] == email && email != ""
	for name := range h {
		isRight = isRight && (name == EmailHeader || !IsEmailHeader(name))
	}
	if isRight && !slices.ContainsFunc(connection, mentionsEmailHeader) {
		return nil
	}
	h = maps.Clone(h)
	maps.DeleteFunc(h, func(name string, _ []string) bool { return IsEmailHeader(name) || name == "Connection" })
	for _, value := range connection {
		options := slices.DeleteFunc(strings.Split(value, ","), IsEmailHeader)
		if value = textproto.TrimString(strings.Join(options, ",")); value != "" {
			h["Connection"] = append(h["Connection"], value)
		}
	}
	if email != "" {
		if h == nil {
			h = make(http.Header)
		}
		h[EmailHeader] = []string{email}
	}
	return h
}

// IsEmailHeader reports whether a header field's name is one that some server
// reads as [EmailHeader]: the case of letters, the kind of punctuation, and space
// around it make no difference. CGI (RFC 3875 section 4.1.18) and WSGI servers read
// - and _ alike, PHP every other character too, and fiber v3 keeps outer space.
func IsEmailHeader(name string) bool {
	return len(name) >= len(EmailHeader) && emailHeaderForm.MatchString(name)
}

var emailHeaderForm = regexp.MustCompile(`(?i)^\s*` + strings.ReplaceAll(EmailHeader, "-", "[^a-z0-9]") + `\s*$`)

// mentionsEmailHeader reports whether a Connection value names the header.
func mentionsEmailHeader(connection string) bool {
	return len(connection) >= len(EmailHeader) && slices.ContainsFunc(strings.Split(connection, ","), IsEmailHeader)
}
