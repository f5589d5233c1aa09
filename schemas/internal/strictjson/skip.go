package strictjson

// Skip passes over one value of any kind, nested at most depth deep, and gives
// its text. Its grammar, UTF-8 and escapes are checked on the way.
func (s *Scanner) Skip(depth int) ([]byte, bool) {
	s.Space()
	if depth == 0 {
		return nil, s.Fail("it is nested too deep")
	}
	if s.pos == len(s.data) {
		return nil, s.Fail("the data ends in the middle")
	}
	start, ok := s.pos, false
	switch s.data[s.pos] {
	case '{':
		ok = s.Members(func([]byte) bool {
			_, ok := s.Skip(depth - 1)
			return ok
		})
	case '[':
		ok = s.Items(func() bool {
			_, ok := s.Skip(depth - 1)
			return ok
		})
	case '"':
		_, ok = s.Text("a string")
	default:
		ok = s.Word("null") || s.Word("true") || s.Word("false")
		if !ok {
			_, ok = s.Number()
		}
		if !ok {
			return nil, s.Fail("here is something that is not JSON")
		}
	}
	if !ok {
		return nil, false
	}
	return s.data[start:s.pos], true
}

// Members reads an object: each is called with a name, reads the value and says
// whether to go on.
func (s *Scanner) Members(each func(name []byte) bool) bool {
	s.Space()
	if !s.Open('{') {
		return false
	}
	for first := true; ; first = false {
		more, ok := s.Next('}', first)
		if !more {
			return ok
		}
		s.Space()
		name, ok := s.Text("a string")
		if !ok {
			return false
		}
		s.Space()
		if !s.Take(':') {
			return s.Fail("a colon was expected; is it JSON?")
		}
		if !each(name) {
			return false
		}
	}
}

// Items reads a list: each reads an item and says whether to go on.
func (s *Scanner) Items(each func() bool) bool {
	s.Space()
	if !s.Open('[') {
		return false
	}
	for first := true; ; first = false {
		more, ok := s.Next(']', first)
		if !more {
			return ok
		}
		if !each() {
			return false
		}
	}
}
