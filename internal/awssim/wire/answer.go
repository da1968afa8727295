package wire

// Opt is a text of an answer that is left out when it is empty.
func Opt(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Texts is a list of texts of an answer.
func Texts(values []string) List {
	return ListOf(values, func(s string) any { return s })
}

// ListOf makes a list of an answer, each element as describe has it.
func ListOf[T, V any](items []T, describe func(T) V) List {
	out := make(List, len(items))
	for i, it := range items {
		out[i] = describe(it)
	}
	return out
}
