package core_test

import "unsafe"

// aliasedString returns a string whose memory is the buffer, as fiber's are.
func aliasedString(s string) (buffer []byte, aliased string) {
	buffer = []byte(s)
	return buffer, unsafe.String(&buffer[0], len(buffer))
}
