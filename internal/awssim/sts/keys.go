package sts

import (
	"math/rand/v2"
	"sync"
	"time"
)

// maxKeys bounds the issued keys that are remembered; the oldest are forgotten first.
const maxKeys = 100_000

// key is a set of temporary credentials.
type key struct {
	id, secret, token string
	account           string
	arn               string // of the assumed role's session
	userID            string
	session           string
	expires           time.Time
}

// keys are the credentials that were issued. Expired ones stay, to be told apart from
// keys that were never issued.
type keys struct {
	mu    sync.Mutex
	rand  *rand.Rand
	byID  map[string]key
	order []string
}

func newKeys(seed uint64) *keys {
	//nolint:gosec // G404: these credentials protect nothing, and equal seeds must give equal keys
	return &keys{rand: rand.New(rand.NewPCG(seed, 0x575)), byID: map[string]key{}}
}

func (ks *keys) get(id string) (key, bool) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	k, ok := ks.byID[id]
	return k, ok
}

// issue fills in the credentials of k and remembers it.
func (ks *keys) issue(k key) key {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	const any64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	k.id = "ASIALAB" + ks.text(upper, 13)
	k.secret = "lab/fake/" + ks.text(any64, 31)
	k.token = "lab-fake-session-" + ks.text(any64, 64)
	k.userID = "AROALAB" + ks.text(upper, 14) + ":" + k.session
	if len(ks.order) >= maxKeys {
		delete(ks.byID, ks.order[0])
		ks.order = ks.order[1:]
	}
	ks.byID[k.id] = k
	ks.order = append(ks.order, k.id)
	return k
}

func (ks *keys) text(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[ks.rand.IntN(len(alphabet))]
	}
	return string(b)
}
