package registry

import (
	"crypto/md5" //nolint:gosec // Confluent's GUID of a schema is its MD5; nothing rests on it.
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/relais-fr/relais/schemas"
)

// state is the fold of `_schemas`: the same records in the same order give the
// same state in every registry. Nothing else changes it.
type state struct {
	subjects map[string]map[int]*version
	contents map[int]*content  // by id
	ids      map[contentID]int // the first id of each content
	levels   map[string]string // compatibility by subject, "" for the global one
	modes    map[string]string
	// maxID is the highest id that any record ever claimed.
	maxID int
	// spoilt are the versions whose last record on the log was not taken: the
	// topic would forget the one that was. They are written again.
	spoilt map[slot]bool
	// changed is the offset after the record that last changed a version, also one
	// that is gone.
	changed map[slot]int64
}

// content is one schema, with one id wherever it stands.
type content struct {
	id         int
	text       string
	schemaType string // "" for Avro
	value      schemaValue
	avro       schemas.AvroSchema // zero when it is not Avro that we can read
	isAvro     bool
	uses       int // versions that have it, deleted ones included
}

// contentID is what makes two contents the same.
type contentID struct{ schemaType, canonical, references string }

// slot is a version's place.
type slot struct {
	subject string
	number  int
}

type version struct {
	slot
	*content
	deleted bool
}

func newState() *state {
	return &state{
		subjects: map[string]map[int]*version{}, contents: map[int]*content{}, ids: map[contentID]int{},
		levels: map[string]string{}, modes: map[string]string{}, spoilt: map[slot]bool{},
		changed: map[slot]int64{},
	}
}

// errNotTaken is why a record does not count although it can be read: another one
// was first.
var errNotTaken = errors.New("not taken")

// apply takes the record at an offset. A record that cannot count changes nothing,
// and the error says why: errNotTaken when an id or a version belongs to an earlier
// one, or when the version was changed after what the record's writer had seen. Without
// that, whoever takes back a claim or says again what counts would undo what another
// registry wrote in the meantime.
func (s *state) apply(r record, offset, seen int64) error {
	at := slot{r.key.Subject, r.key.Version}
	if r.key.Kind == kindSchema && seen > 0 && s.changed[at] > seen {
		if s.says(at, r.value) { // two who put the same right at once are both right
			delete(s.spoilt, at)
			return nil
		}
		s.spoilt[at] = true
		return fmt.Errorf("%w: version %d of %s has changed since", errNotTaken, at.number, at.subject)
	}
	switch v := r.value.(type) {
	case schemaValue:
		return s.applySchema(at, v, offset)
	case configValue:
		setOrDelete(s.levels, r.key.Subject, v.Level)
	case modeValue:
		setOrDelete(s.modes, r.key.Subject, v.Mode)
	case deleteSubjectValue:
		for _, version := range s.subjects[v.Subject] {
			switch {
			case version.number > v.Version || version.deleted:
			case seen > 0 && s.changed[version.slot] > seen:
				s.spoilt[version.slot] = true
			default:
				version.deleted = true
				s.changed[version.slot] = offset + 1
			}
		}
	case noopValue:
		s.maxID = max(s.maxID, v.MaxID)
	case nil:
		s.remove(r.key, offset)
	}
	return nil
}

// says reports whether a version stands as a record's value has it.
func (s *state) says(at slot, value any) bool {
	v := s.subjects[at.subject][at.number]
	said, is := value.(schemaValue)
	if v == nil || !is {
		return v == nil && value == nil
	}
	return v.id == said.ID && v.deleted == said.Deleted && v.identity() == newContent(said).identity()
}

func setOrDelete(m map[string]string, key, value string) {
	if value == "" {
		delete(m, key)
		return
	}
	m[key] = value
}

func (s *state) remove(key recordKey, offset int64) {
	switch key.Kind {
	case kindConfig:
		delete(s.levels, key.Subject)
	case kindMode:
		delete(s.modes, key.Subject)
	case kindSchema:
		at := slot{key.Subject, key.Version}
		delete(s.spoilt, at)
		if v := s.subjects[at.subject][at.number]; v != nil {
			s.changed[at] = offset + 1
			delete(s.subjects[at.subject], at.number)
			s.release(v.content)
		}
		if len(s.subjects[at.subject]) == 0 {
			delete(s.subjects, at.subject)
		}
	}
}

// release forgets a content that no version has any more; its id stays spent.
func (s *state) release(c *content) {
	c.uses--
	if c.uses == 0 {
		delete(s.contents, c.id)
		if id := c.identity(); s.ids[id] == c.id {
			delete(s.ids, id)
		}
	}
}

func (s *state) applySchema(at slot, v schemaValue, offset int64) error {
	if v.ID <= 0 || v.ID > maxID || v.Schema == "" {
		return fmt.Errorf("a schema with the id %d and %d bytes", v.ID, len(v.Schema))
	}
	s.maxID = max(s.maxID, v.ID)
	fresh := newContent(v)
	old := s.subjects[at.subject][at.number]
	first := s.contents[v.ID]
	switch {
	case first != nil && first.identity() != fresh.identity():
		s.spoilt[at] = true
		return fmt.Errorf("%w: the id %d is another schema's", errNotTaken, v.ID)
	case old != nil && old.content != first:
		s.spoilt[at] = true
		return fmt.Errorf("%w: version %d of %s is another schema", errNotTaken, at.number, at.subject)
	}
	delete(s.spoilt, at)
	if old == nil || old.deleted != v.Deleted {
		s.changed[at] = offset + 1
	}
	if old != nil {
		old.deleted = v.Deleted
		return nil
	}
	if first == nil {
		first = fresh
		s.contents[v.ID] = first
		if _, known := s.ids[first.identity()]; !known {
			s.ids[first.identity()] = v.ID
		}
	}
	first.uses++
	if s.subjects[at.subject] == nil {
		s.subjects[at.subject] = map[int]*version{}
	}
	s.subjects[at.subject][at.number] = &version{slot: at, content: first, deleted: v.Deleted}
	return nil
}

func newContent(v schemaValue) *content {
	c := &content{id: v.ID, text: v.Schema, value: v, schemaType: v.SchemaType}
	if c.schemaType == typeAvro {
		c.schemaType = ""
	}
	if c.schemaType == "" {
		if parsed, err := schemas.ParseAvro(v.Schema); err == nil {
			c.avro, c.isAvro = parsed, true
		}
	}
	return c
}

func (c *content) identity() contentID {
	id := contentID{schemaType: c.schemaType, canonical: c.text, references: string(c.value.References)}
	if c.isAvro {
		id.canonical = c.avro.Canonical
	}
	return id
}

// guid is the id that a schema has in every registry: Confluent's is the MD5 of
// its text.
func (c *content) guid() string {
	sum := md5.Sum([]byte(c.text)) //nolint:gosec // See the import.
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:])
}

// record is what the log should say of the version.
func (v *version) record() record {
	value := v.value
	value.Subject, value.Version, value.Deleted = v.subject, v.number, v.deleted
	return schemaRecord(value)
}

// versions are a subject's, oldest first.
func (s *state) versions(subject string, f filter) []*version {
	all := slices.SortedFunc(maps.Values(s.subjects[subject]), func(a, b *version) int { return a.number - b.number })
	return slices.DeleteFunc(all, func(v *version) bool { return !f.takes(v) })
}

// latest is the last version that is not deleted, nil when there is none.
func (s *state) latest(subject string, f filter) *version {
	if all := s.versions(subject, f); len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// subjectNames are the subjects that have a version, sorted.
func (s *state) subjectNames(prefix string, f filter) []string {
	names := []string{}
	for name := range s.subjects {
		if strings.HasPrefix(name, prefix) && len(s.versions(name, f)) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// uses are the versions that have a content, by subject and number.
func (s *state) usesOf(id int, f filter) []*version {
	var uses []*version
	for subject := range s.subjects {
		for _, v := range s.versions(subject, f) {
			if v.id == id {
				uses = append(uses, v)
			}
		}
	}
	slices.SortFunc(uses, func(a, b *version) int {
		if a.subject != b.subject {
			return strings.Compare(a.subject, b.subject)
		}
		return a.number - b.number
	})
	return uses
}

// level is the compatibility in force for a subject.
func (s *state) level(subject string) string {
	for _, key := range []string{subject, ""} {
		if level, ok := s.levels[key]; ok {
			return level
		}
	}
	return defaultLevel
}

// mode is the mode in force for a subject. The global override wins over all.
func (s *state) mode(subject string) string {
	if s.modes[""] == modeReadOnlyOverride {
		return modeReadOnlyOverride
	}
	for _, key := range []string{subject, ""} {
		if mode, ok := s.modes[key]; ok {
			return mode
		}
	}
	return modeReadWrite
}

// filter says which versions a caller wants to see.
type filter int

const (
	live filter = iota
	liveAndDeleted
	onlyDeleted
)

func (f filter) takes(v *version) bool {
	switch f {
	case live:
		return !v.deleted
	case onlyDeleted:
		return v.deleted
	default:
		return true
	}
}
