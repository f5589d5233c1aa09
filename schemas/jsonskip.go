package schemas

// skip passes over one value of any kind, nested at most depth deep, and gives
// its text. Its grammar, UTF-8 and escapes are checked on the way.
func (r *jsonReader) skip(depth int) ([]byte, bool) {
	r.space()
	if depth == 0 {
		return nil, r.wrong("it is nested too deep")
	}
	if r.pos == len(r.data) {
		return nil, r.wrong("the data ends in the middle")
	}
	start, ok := r.pos, false
	switch r.data[r.pos] {
	case '{':
		ok = r.members(func([]byte) bool {
			_, ok := r.skip(depth - 1)
			return ok
		})
	case '[':
		ok = r.items(func() bool {
			_, ok := r.skip(depth - 1)
			return ok
		})
	case '"':
		_, ok = r.text(shapeText)
	default:
		ok = r.word("null") || r.word("true") || r.word("false")
		if !ok {
			_, ok = r.number()
		}
		if !ok {
			return nil, r.wrong("here is something that is not JSON")
		}
	}
	if !ok {
		return nil, false
	}
	return r.data[start:r.pos], true
}

// members reads an object: each is called with a name, and reads the value.
func (r *jsonReader) members(each func(name []byte) bool) bool {
	r.space()
	if !r.open('{', shapeObject) {
		return false
	}
	for first := true; ; first = false {
		more, ok := r.next('}', first)
		if !more {
			return ok
		}
		r.space()
		name, ok := r.text(shapeText)
		if !ok {
			return false
		}
		r.space()
		if r.pos == len(r.data) || r.data[r.pos] != ':' {
			return r.wrong("a colon was expected; is it JSON?")
		}
		r.pos++
		if !each(name) {
			return false
		}
	}
}

// items reads a list: each reads an item.
func (r *jsonReader) items(each func() bool) bool {
	r.space()
	if !r.open('[', shapeList) {
		return false
	}
	for first := true; ; first = false {
		more, ok := r.next(']', first)
		if !more {
			return ok
		}
		if !each() {
			return false
		}
	}
}

// end refuses anything but white space after the value.
func (r *jsonReader) end() bool {
	if r.fault != "" {
		return false
	}
	if r.space(); r.pos < len(r.data) {
		return r.wrong("there is more after the end")
	}
	return true
}
