package alb

// maxSamples bounds the response times that are kept for percentiles in a period.
const maxSamples = 1024

// samples keeps every stride-th value of a period, evenly spread over it; the stride
// doubles whenever maxSamples are reached. The zero value is empty.
type samples struct {
	values []float64
	stride int // a power of two; 0 is 1
	skip   int // values to leave out before the next one is kept
}

func (s *samples) add(v float64) {
	if s.skip > 0 {
		s.skip--
		return
	}
	s.stride = max(s.stride, 1)
	if len(s.values) == maxSamples {
		s.thin(2 * s.stride)
	}
	s.values = append(s.values, v)
	s.skip = s.stride - 1
}

// thin drops values so that only every stride-th of the original ones is left.
func (s *samples) thin(stride int) {
	s.stride = max(s.stride, 1)
	for s.stride < stride {
		kept := s.values[:0]
		for i := 0; i < len(s.values); i += 2 {
			kept = append(kept, s.values[i])
		}
		s.values, s.stride = kept, 2*s.stride
	}
}

// merge joins samples so that each stands for as many values as any other.
func merge(parts []samples) []float64 {
	stride, n := 1, 0
	for _, p := range parts {
		stride = max(stride, p.stride)
		n += len(p.values)
	}
	for n > maxSamples && stride < 1<<30 {
		n = 0
		for _, p := range parts {
			n += (len(p.values)*max(p.stride, 1) + stride - 1) / stride
		}
		if n > maxSamples {
			stride *= 2
		}
	}
	out := make([]float64, 0, n)
	for _, p := range parts {
		c := samples{values: append([]float64(nil), p.values...), stride: p.stride}
		c.thin(stride)
		out = append(out, c.values...)
	}
	return out
}
