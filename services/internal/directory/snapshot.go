package directory

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Snapshot is the directory as it stood at one moment. It never changes, so that
// several look-ups on one snapshot agree with each other. Safe for concurrent
// use.
type Snapshot struct {
	version      uint64
	next         int64 // offset after the last record taken in
	participants map[string]*Participant
	offices      map[string]*indexedOffice
	services     map[string]*Service
	settings     map[string]string
	credentials  map[string]*Credential // by participant/id

	byCredential func() credentialIndex
	sorted       func() []*indexedOffice
	operators    func() []Participant
	allServices  func() []Service
}

// indexedOffice is an office with the words by which it is found.
type indexedOffice struct {
	Office
	words officeWords
}

func newSnapshot(version uint64) *Snapshot {
	s := &Snapshot{
		version:      version,
		participants: map[string]*Participant{},
		offices:      map[string]*indexedOffice{},
		services:     map[string]*Service{},
		settings:     map[string]string{},
		credentials:  map[string]*Credential{},
	}
	s.byCredential = sync.OnceValue(s.indexCredentials)
	s.sorted = sync.OnceValue(s.sortOffices)
	s.operators = sync.OnceValue(s.sortOperators)
	s.allServices = sync.OnceValue(s.sortServices)
	return s
}

// with is the snapshot after the records, the next in version, and an error for
// every record that could not be read; the key of such a one keeps its value.
func (s *Snapshot) with(records []Record) (*Snapshot, error) {
	next := newSnapshot(s.version + 1)
	next.next = s.next
	maps.Copy(next.participants, s.participants)
	maps.Copy(next.offices, s.offices)
	maps.Copy(next.services, s.services)
	maps.Copy(next.settings, s.settings)
	maps.Copy(next.credentials, s.credentials)
	var problems []error
	for _, r := range records {
		if err := next.apply(r); err != nil {
			problems = append(problems, fmt.Errorf("directory record %q: %w", r.Key, err))
		}
	}
	return next, errors.Join(problems...)
}

func (s *Snapshot) apply(r Record) error {
	prefix, id, _ := strings.Cut(r.Key, "/")
	switch prefix + "/" {
	case participantPrefix:
		return set(s.participants, id, r.Value, func(p *Participant) (*Participant, string) { return p, p.ID })
	case officePrefix:
		return set(s.offices, id, r.Value, func(o *Office) (*indexedOffice, string) {
			return &indexedOffice{Office: *o, words: wordsOf(o)}, o.ID
		})
	case servicePrefix:
		return set(s.services, id, r.Value, func(v *Service) (*Service, string) { return v, v.Code })
	case settingPrefix:
		return set(s.settings, id, r.Value, func(v *Setting) (string, string) { return v.Value, v.Name })
	case credentialPrefix:
		return set(s.credentials, id, r.Value, func(c *Credential) (*Credential, string) { return c, c.path() })
	}
	return nil
}

// set reads value as an R, makes of it what the map holds and puts it under id.
func set[R, V any](m map[string]V, id string, value []byte, hold func(*R) (V, string)) error {
	if value == nil {
		delete(m, id)
		return nil
	}
	r := new(R)
	if err := json.Unmarshal(value, r); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	held, own := hold(r)
	if own != id {
		return fmt.Errorf("the record names itself %q", own)
	}
	m[id] = held
	return nil
}

// Version grows by one with every batch of changes; it is this process's own
// count and means nothing elsewhere.
func (s *Snapshot) Version() uint64 { return s.version }

// Participant looks a participant up by id. An office is one too, with
// RoleOffice.
func (s *Snapshot) Participant(id string) (Participant, bool) {
	if p, ok := s.participants[id]; ok {
		return *p, true
	}
	if o, ok := s.offices[id]; ok {
		return o.Participant(), true
	}
	return Participant{}, false
}

// Participants are all participants that are not offices, by id.
func (s *Snapshot) Participants() []Participant {
	all := make([]Participant, 0, len(s.participants))
	for _, p := range s.participants {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b Participant) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Operators are the participants with RoleOperator, by id. The slice is shared
// and must not be changed.
func (s *Snapshot) Operators() []Participant { return s.operators() }

func (s *Snapshot) sortOperators() []Participant {
	return slices.DeleteFunc(s.Participants(), func(p Participant) bool { return p.Role != RoleOperator })
}

// Office looks an office up by id, closed ones included.
func (s *Snapshot) Office(id string) (Office, bool) {
	o, ok := s.offices[id]
	if !ok {
		return Office{}, false
	}
	return o.Office, true
}

// Offices are all offices, closed ones included, by number and then by id.
func (s *Snapshot) Offices() []Office {
	sorted := s.sorted()
	all := make([]Office, len(sorted))
	for i, o := range sorted {
		all[i] = o.Office
	}
	return all
}

func (s *Snapshot) sortOffices() []*indexedOffice {
	all := slices.Collect(maps.Values(s.offices))
	slices.SortFunc(all, func(a, b *indexedOffice) int {
		return cmp.Or(cmp.Compare(a.Matricule, b.Matricule), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// OfficeCount is the number of offices, closed ones included.
func (s *Snapshot) OfficeCount() int { return len(s.offices) }

// Service looks a service up by code.
func (s *Snapshot) Service(code string) (Service, bool) {
	v, ok := s.services[code]
	if !ok {
		return Service{}, false
	}
	return *v, true
}

// Services are all services, by code. The slice is shared and must not be
// changed.
func (s *Snapshot) Services() []Service { return s.allServices() }

func (s *Snapshot) sortServices() []Service {
	all := make([]Service, 0, len(s.services))
	for _, v := range s.services {
		all = append(all, *v)
	}
	slices.SortFunc(all, func(a, b Service) int { return strings.Compare(a.Code, b.Code) })
	return all
}

// ServicesOf are the services for which the operator is competent, by code.
func (s *Snapshot) ServicesOf(operator string) []Service {
	var own []Service
	for _, v := range s.Services() {
		if v.OfferedBy(operator) {
			own = append(own, v)
		}
	}
	return own
}

// Setting looks a setting up by name.
func (s *Snapshot) Setting(name string) (string, bool) {
	v, ok := s.settings[name]
	return v, ok
}

// Settings are all settings by name.
func (s *Snapshot) Settings() map[string]string { return maps.Clone(s.settings) }
