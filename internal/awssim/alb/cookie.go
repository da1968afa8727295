package alb

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Cookies of group stickiness. The second is for cross-origin requests, which
// browsers send only with SameSite=None.
const (
	stickyCookie     = "AWSALBTG"
	stickyCookieCORS = "AWSALBTGCORS"
)

// cookies seals and opens the stickiness cookies: expiry and target group, encrypted
// and authenticated with a key of this data plane, as opaque to clients as AWS's are.
type cookies struct {
	aead cipher.AEAD // puts its nonce first
	// cache has the newest cookies of each group: a cookie holds nothing of its
	// client, so that all that are made within a second can be the same.
	cache sync.Map // cacheKey → *sealed
}

type cacheKey struct {
	group  string
	sticky time.Duration
	secure bool
}

type sealed struct {
	second  int64
	headers [2]string
}

func newCookies() *cookies {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: see crypto/rand.Read
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has a valid length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the block size of GCM
	}
	return &cookies{aead: aead}
}

// set returns the two Set-Cookie values that bind a client to a group until now + sticky.
func (c *cookies) set(group string, sticky time.Duration, secure bool, now time.Time) [2]string {
	key := cacheKey{group, sticky, secure}
	if v, ok := c.cache.Load(key); ok {
		if s, ok := v.(*sealed); ok && s.second == now.Unix() {
			return s.headers
		}
	}
	expires := now.Add(sticky)
	value := c.seal(group, expires)
	attributes := "; Expires=" + expires.UTC().Format(http.TimeFormat) + "; Path=/"
	cors := attributes + "; SameSite=None"
	if secure {
		cors += "; Secure"
	}
	s := &sealed{now.Unix(), [2]string{stickyCookie + "=" + value + attributes, stickyCookieCORS + "=" + value + cors}}
	c.cache.Store(key, s)
	return s.headers
}

func (c *cookies) seal(group string, expires time.Time) string {
	plain := strconv.FormatInt(expires.Unix(), 10) + " " + group
	box := c.aead.Seal(nil, nil, []byte(plain), nil) //nolint:gosec // G407: this AEAD makes its own random nonces.
	return base64.StdEncoding.EncodeToString(box)
}

// open returns the target group of a cookie; "" when it was not made here, was
// altered, or has expired.
func (c *cookies) open(value string, now time.Time) string {
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return ""
	}
	plain, err := c.aead.Open(nil, nil, raw, nil)
	if err != nil {
		return ""
	}
	expires, group, _ := strings.Cut(string(plain), " ")
	if unix, err := strconv.ParseInt(expires, 10, 64); err != nil || now.Unix() >= unix {
		return ""
	}
	return group
}

// group returns the target group that a request's cookies name, "" when none does.
func (c *cookies) group(r *http.Request, now time.Time) string {
	if len(r.Header["Cookie"]) == 0 {
		return ""
	}
	for _, name := range []string{stickyCookie, stickyCookieCORS} {
		for _, ck := range r.CookiesNamed(name) {
			if g := c.open(ck.Value, now); g != "" {
				return g
			}
		}
	}
	return ""
}
