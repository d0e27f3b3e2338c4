package core

import (
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/maypok86/otter/v2"
)

// cache holds verified tokens. It is safe for concurrent use. A nil cache is empty.
//
// Only verified tokens enter, so clients without one can't fill it.
type cache struct {
	entries *otter.Cache[string, *cacheEntry]
}

// cacheEntry is a verified token, and the data for the checks that are repeated.
type cacheEntry struct {
	claims *Claims
	keyID  string
	jwk    *jwkset.JWK // the key that verified it
	set    *keySet     // a set in which jwk is published under keyID
	from   time.Time   // valid from then on, leeway included
	until  time.Time   // and until before then
}

// newCache returns a cache of that many bytes.
func newCache(size int) *cache {
	if size < 0 {
		return nil
	}
	return &cache{newEntries[*cacheEntry](size)}
}

// newEntries returns room for entries of that many bytes. Each is weighed once.
func newEntries[E interface{ weigh() uint32 }](size int) *otter.Cache[string, E] {
	return otter.Must(&otter.Options[string, E]{
		MaximumWeight: uint64(size),
		Weigher:       func(_ string, e E) uint32 { return e.weigh() },
		// Maintenance runs on the goroutine of the request that causes it:
		// nothing is left to run when the verifier isn't used any more.
		Executor: func(task func()) { task() },
	})
}

func (c *cache) get(token string) *cacheEntry {
	if c == nil {
		return nil
	}
	entry, _ := c.entries.GetIfPresent(cacheKey(token))
	if entry == nil || *entry.claims.token != token {
		return nil
	}
	return entry
}

// put adds the token of claims that verified by a key, if that is still published.
func (c *cache) put(claims *Claims, by *lookup, set *keySet, leeway time.Duration) {
	if c == nil || set.keys[by.keyID] != by.jwk {
		return
	}
	entry := &cacheEntry{claims: claims, keyID: by.keyID, jwk: by.jwk, set: set, until: claims.ExpiresAt.Add(leeway)}
	for _, date := range []*jwt.NumericDate{claims.NotBefore, claims.IssuedAt} {
		if date != nil && date.Add(-leeway).After(entry.from) {
			entry.from = date.Add(-leeway)
		}
	}
	c.entries.Set(cacheKey(*claims.token), entry)
}

// remove drops a token that will not be good again.
func (c *cache) remove(entry *cacheEntry) { c.entries.Invalidate(cacheKey(*entry.claims.token)) }

// size returns how many tokens there are, and their bytes.
func (c *cache) size() (tokens, bytes int64) {
	if c == nil {
		return 0, 0
	}
	return int64(c.entries.EstimatedSize()), int64(c.entries.WeightedSize())
}

// entryBytes is the memory of a token without its strings: entry, claims, node.
const entryBytes = 1 << 10

// weigh returns about how many bytes the entry takes.
func (e *cacheEntry) weigh() uint32 {
	// The token twice: every string of the claims is a part of it.
	return uint32(entryBytes + 2*len(*e.claims.token) + 32*len(e.claims.Audience) + weighValue(e.claims.Custom))
}

// weighValue returns about how many bytes a decoded JSON value takes besides
// the interface that holds it. A Go map has groups of eight slots, each with
// room for a string and an interface.
func weighValue(value any) (bytes int) {
	switch value := value.(type) {
	case map[string]any:
		bytes = 48 + (len(value)+6)/7*2*288
		for name, member := range value {
			bytes += len(name) + weighValue(member)
		}
	case []any:
		bytes = 24 + 2*16*len(value)
		for _, element := range value {
			bytes += weighValue(element)
		}
	case string:
		bytes = 16 + len(value)
	case float64:
		bytes = 8
	}
	return bytes
}

// cacheKey returns the end of a token's signature: as good as unique among
// tokens that verified, and quicker to hash than the whole token.
func cacheKey(token string) string { return token[max(0, len(token)-32):] }
