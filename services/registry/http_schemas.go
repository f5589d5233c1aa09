package registry

import (
	"slices"
	"strings"

	"github.com/relais-fr/relais/services/internal/uses"
)

func (r *Registry) listSubjects(c call) (any, error) {
	prefix := strings.TrimPrefix(normalSubject(c.URL.Query().Get("subjectPrefix")), ":*:")
	var names []string
	r.store.read(func(s *state) { names = s.subjectNames(prefix, c.filter()) })
	return page(c, names), nil
}

func (r *Registry) listVersions(c call) (any, error) {
	numbers := []int{}
	var all int
	r.store.read(func(s *state) {
		for _, v := range s.versions(c.subject(), c.filter()) {
			numbers = append(numbers, v.number)
		}
		all = len(numbers)
		if c.filter() == onlyDeleted {
			all = len(s.subjects[c.subject()])
		}
	})
	if all == 0 {
		return nil, noSubject(c.subject())
	}
	return page(c, numbers), nil
}

// seen gives one version to show, of the subject and version in the path.
func (r *Registry) seen(c call, show func(*version) any) (answer any, err error) {
	r.store.read(func(s *state) {
		var v *version
		if v, err = s.version(c.subject(), c.PathValue("version"), c.filter()); err == nil {
			answer = show(v)
		}
	})
	return answer, err
}

func (r *Registry) getVersion(c call) (any, error) {
	return r.seen(c, func(v *version) any { return c.versionObject(v) })
}

func (r *Registry) getVersionText(c call) (any, error) {
	return r.seen(c, func(v *version) any { return raw(v.text) })
}

// listReferrers is empty for what is there: references are not kept.
func (r *Registry) listReferrers(c call) (any, error) {
	return r.seen(c, func(*version) any { return []int{} })
}

// getByMetadata finds the newest version with all the properties asked for. No
// schema of ours has any; without a question the newest one answers.
func (r *Registry) getByMetadata(c call) (answer any, err error) {
	r.store.read(func(s *state) {
		switch v := s.latest(c.subject(), c.filter()); {
		case v == nil:
			err = noSubject(c.subject())
		case len(c.URL.Query()["key"]) > 0:
			err = faultf(codeNoSchema, "Schema not found")
		default:
			answer = c.versionObject(v)
		}
	})
	return answer, err
}

func (r *Registry) listSchemas(c call) (any, error) {
	prefix := strings.TrimPrefix(normalSubject(c.URL.Query().Get("subjectPrefix")), ":*:")
	objects := []schemaObject{}
	r.store.read(func(s *state) {
		for _, subject := range s.subjectNames(prefix, c.filter()) {
			all := s.versions(subject, c.filter())
			if c.flag("latestOnly") {
				all = all[len(all)-1:]
			}
			for _, v := range all {
				objects = append(objects, c.versionObject(v))
			}
		}
	})
	return page(c, objects), nil
}

// known gives the schema to show whose id is in the path.
func (r *Registry) known(c call, show func(*state, *content) any) (answer any, err error) {
	r.store.read(func(s *state) {
		var found *content
		if found, err = s.content(c.PathValue("id")); err == nil {
			answer = show(s, found)
		}
	})
	return answer, err
}

func (r *Registry) getByID(c call) (any, error) {
	return r.known(c, func(s *state, found *content) any {
		r.uses.Note(uses.Key{Participant: c.by.ID, Channel: "registry", Schema: found.id})
		o := c.object(found)
		if c.flag("fetchMaxId") {
			o.MaxID = s.maxID
		}
		return o
	})
}

// listUses tells who asked for which schema, its own to a participant. Where nobody
// is asked for a name, there is none.
func (r *Registry) listUses(c call) (any, error) {
	return r.uses.Tell(func(participant string) bool { return c.by.ID == "" || c.by.IsAdmin() || participant == c.by.ID }), nil
}

func (r *Registry) getTextByID(c call) (any, error) {
	return r.known(c, func(_ *state, found *content) any { return raw(found.text) })
}

func (r *Registry) listSubjectsOfID(c call) (any, error) {
	return r.known(c, func(s *state, found *content) any {
		names := []string{}
		for _, v := range s.usesOf(found.id, c.filter()) {
			names = append(names, v.subject)
		}
		return page(c, slices.Compact(names))
	})
}

func (r *Registry) listVersionsOfID(c call) (any, error) {
	type subjectVersion struct {
		Subject string `json:"subject"`
		Version int    `json:"version"`
	}
	return r.known(c, func(s *state, found *content) any {
		list := []subjectVersion{}
		for _, v := range s.usesOf(found.id, c.filter()) {
			list = append(list, subjectVersion{v.subject, v.number})
		}
		return page(c, list)
	})
}

func (r *Registry) getByGUID(c call) (answer any, err error) {
	r.store.read(func(s *state) {
		var found *content
		if found, err = s.byGUID(c.PathValue("guid")); err == nil {
			answer = c.object(found)
		}
	})
	return answer, err
}

func (r *Registry) listIDsOfGUID(c call) (answer any, err error) {
	type contextID struct {
		Context string `json:"context"`
		ID      int    `json:"id"`
	}
	r.store.read(func(s *state) {
		var found *content
		if found, err = s.byGUID(c.PathValue("guid")); err == nil {
			answer = []contextID{{".", found.id}}
		}
	})
	return answer, err
}

func (r *Registry) listContexts(call) (answer any, _ error) {
	r.store.read(func(s *state) { answer = s.contexts() })
	return answer, nil
}

func (r *Registry) postVersion(c call) (any, error) {
	var o offer
	if err := c.body(&o); err != nil {
		return nil, err
	}
	id, number, err := r.store.register(c.Context(), c.subject(), o, c.flag("normalize"))
	if err != nil {
		return nil, err
	}
	if !c.acceptsUnknown {
		return map[string]int{"id": id}, nil
	}
	var answer any
	r.store.read(func(s *state) {
		if v := s.subjects[c.subject()][number]; v != nil {
			o := c.versionObject(v)
			o.Subject = ""
			answer = o
		}
	})
	return answer, nil
}

// lookUp finds a schema among those of a subject.
func (r *Registry) lookUp(c call) (answer any, err error) {
	var o offer
	if err := c.body(&o); err != nil {
		return nil, err
	}
	p, err := o.parse(c.flag("normalize"))
	if err != nil {
		return nil, err
	}
	r.store.read(func(s *state) {
		switch v := s.find(c.subject(), p, c.filter()); {
		case v != nil:
			answer = c.versionObject(v)
		case len(s.versions(c.subject(), c.filter())) == 0:
			err = noSubject(c.subject())
		default:
			err = faultf(codeNoSchema, "Schema not found")
		}
	})
	return answer, err
}

func (r *Registry) deleteSubject(c call) (any, error) {
	return r.store.deleteSubject(c.Context(), c.subject(), c.flag("permanent"))
}

func (r *Registry) deleteVersion(c call) (any, error) {
	return r.store.deleteVersion(c.Context(), c.subject(), c.PathValue("version"), c.flag("permanent"))
}
