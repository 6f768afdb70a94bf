package sched

// heap is the lowest task first. Written out, as container/heap allocates for
// each item.
type heap []uint32

func (h *heap) push(t uint32) {
	s := append(*h, t)
	i := len(s) - 1
	for i > 0 {
		p := (i - 1) / 2
		if s[p] <= t {
			break
		}
		s[i] = s[p]
		i = p
	}
	s[i] = t
	*h = s
}

func (h *heap) pop() uint32 {
	s := *h
	top := s[0]
	last := s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	if len(s) == 0 {
		return top
	}
	i := 0
	for {
		c := 2*i + 1
		if c >= len(s) {
			break
		}
		if c+1 < len(s) && s[c+1] < s[c] {
			c++
		}
		if last <= s[c] {
			break
		}
		s[i] = s[c]
		i = c
	}
	s[i] = last
	return top
}

// delete takes out t.
func (h *heap) delete(t uint32) {
	s := *h
	i := 0
	for s[i] != t {
		i++
	}
	last := s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	if i == len(s) {
		return
	}
	// last goes to i, and up or down from there.
	for i > 0 && s[(i-1)/2] > last {
		s[i] = s[(i-1)/2]
		i = (i - 1) / 2
	}
	for {
		c := 2*i + 1
		if c >= len(s) {
			break
		}
		if c+1 < len(s) && s[c+1] < s[c] {
			c++
		}
		if last <= s[c] {
			break
		}
		s[i] = s[c]
		i = c
	}
	s[i] = last
}
