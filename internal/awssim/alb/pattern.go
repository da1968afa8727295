package alb

// Tokens of a pattern beside the literal bytes 0–255.
const (
	anyByte  uint16 = 256 // ?: exactly one byte
	anyBytes uint16 = 257 // *: zero or more bytes
)

// pattern is a comparison string of a rule condition with the wildcards * and ?,
// which a backslash makes literal.
type pattern struct {
	literal string   // the whole pattern when it has no wildcard
	tokens  []uint16 // nil when it has none
}

func newPattern(s string) pattern {
	tokens, plain, wild := make([]uint16, 0, len(s)), make([]byte, 0, len(s)), false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '*' || s[i+1] == '?' || s[i+1] == '\\'):
			i++
			tokens, plain = append(tokens, uint16(s[i])), append(plain, s[i])
		case c == '*':
			tokens, wild = append(tokens, anyBytes), true
		case c == '?':
			tokens, wild = append(tokens, anyByte), true
		default:
			tokens, plain = append(tokens, uint16(c)), append(plain, c)
		}
	}
	if !wild {
		return pattern{literal: string(plain)}
	}
	return pattern{tokens: tokens}
}

// match compares the whole of s. It backtracks to the last * only, so that its
// time is at most len(s) times len(pattern).
func (p pattern) match(s string) bool {
	if p.tokens == nil {
		return s == p.literal
	}
	t, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case t < len(p.tokens) && p.tokens[t] == anyBytes:
			star, mark = t, i
			t++
		case t < len(p.tokens) && (p.tokens[t] == anyByte || p.tokens[t] == uint16(s[i])):
			t++
			i++
		case star >= 0:
			mark++
			t, i = star+1, mark
		default:
			return false
		}
	}
	for t < len(p.tokens) && p.tokens[t] == anyBytes {
		t++
	}
	return t == len(p.tokens)
}
