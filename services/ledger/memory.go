package ledger

// memory keeps the dossiers that an owner has read or written, as of its position,
// so that a case in use is not read back and decoded for every step.
//
// It stands in for the store's values, never for the comparison: each step still
// reads the stored position, in the one command that brings the dossiers it lacks,
// and decides nothing unless that is its own. While it is, what is in memory is what
// the store would answer: it was read at a position of this owner's, and every
// outcome since was applied to it and committed by compare-and-set from that position
// on, without a gap. Whatever ends an attempt (a commit refused or of unknown fate, a
// produce that somebody else's came before, a flushed store) drops it whole.
type memory struct {
	young, old map[string]*dossier
	weight     int // of young
}

// memoryWeight bounds one half of a partition's memory: cases and remembered
// submissions, of some 150 bytes each.
const memoryWeight = 1 << 14

func newMemory() *memory { return &memory{young: map[string]*dossier{}} }

// get is the dossier, nil when it is not in memory. What is asked for stays longer.
func (m *memory) get(name string) *dossier {
	if d, ok := m.young[name]; ok {
		return d
	}
	d, ok := m.old[name]
	if ok {
		delete(m.old, name)
		m.put(name, d)
	}
	return d
}

// put keeps a dossier until others have taken its place.
func (m *memory) put(name string, d *dossier) {
	m.young[name] = d
	if m.weight += 1 + len(d.Cases) + len(d.Seen); m.weight > memoryWeight {
		m.young, m.old, m.weight = map[string]*dossier{}, m.young, 0
	}
}

// forget drops one dossier: the next step reads it from the store.
func (m *memory) forget(name string) {
	delete(m.young, name)
	delete(m.old, name)
}
