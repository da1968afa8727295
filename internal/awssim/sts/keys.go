package sts

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/authz"
)

// maxKeys bounds the issued keys that are remembered; the oldest are forgotten first.
const maxKeys = 100_000

// prefixes of the access keys that the lab makes: temporary ones, and those of users.
const (
	temporaryPrefix = "ASIALAB"
	userPrefix      = "AKIALAB"
)

// key is a set of temporary credentials.
type key struct {
	id, secret, token string
	account           string
	arn               string // of the assumed role's session, or of the user
	userID            string
	session           string // name of the role's session
	expires           time.Time

	roleARN    string            // "" for sessions of users
	of         string            // the user's access key, for sessions of users
	tags       map[string]string // of the session
	transitive []string          // keys of tags that sessions of further roles inherit
	policies   []authz.Policy    // session policies; nil: none
	source     string            // source identity
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

// issue fills in the credentials of k and remembers it. roleID is the first part of its
// user id; "" makes one up, and for a user's session it is not used.
func (ks *keys) issue(k key, roleID string) key {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	const any64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	k.id = temporaryPrefix + ks.text(upper, 13)
	k.secret = "lab/fake/" + ks.text(any64, 31)
	k.token = "lab-fake-session-" + ks.text(any64, 64)
	if k.userID == "" {
		if roleID == "" {
			roleID = "AROALAB" + ks.text(upper, 14)
		}
		k.userID = roleID + ":" + k.session
	}
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
