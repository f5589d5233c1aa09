package registry

import (
	"context"
	"slices"
	"strings"
)

func configRecord(subject, level string) record {
	return record{recordKey{Kind: kindConfig, Subject: subject}, configValue{subject, level}}
}

// deleteSubject deletes a subject's versions: softly, so that its ids still
// decode, or, after that, for good.
func (s *Store) deleteSubject(ctx context.Context, subject string, permanent bool) (numbers []int, err error) {
	isPlanned := false
	err = s.write(ctx, func(st *state) ([]record, error) {
		if isPlanned {
			return nil, nil
		}
		gone, err := st.deletable(subject, permanent)
		if err != nil {
			return nil, err
		}
		isPlanned = true
		for _, v := range gone {
			numbers = append(numbers, v.number)
		}
		if permanent {
			return st.forget(subject, gone), nil
		}
		last := numbers[len(numbers)-1]
		return []record{{recordKey{Kind: kindDeleteSubject, Subject: subject}, deleteSubjectValue{subject, last}}}, nil
	})
	return numbers, err
}

// deletable are the versions that deleting a subject deletes.
func (s *state) deletable(subject string, permanent bool) ([]*version, error) {
	if err := s.writable(subject); err != nil {
		return nil, err
	}
	all, alive := s.versions(subject, liveAndDeleted), s.versions(subject, live)
	switch {
	case len(all) == 0:
		return nil, noSubject(subject)
	case permanent && len(alive) > 0:
		return nil, faultf(codeSubjectLive, "Subject '%s' was not deleted first before being permanently deleted", subject)
	case permanent:
		return all, nil
	case len(alive) == 0:
		return nil, faultf(codeSubjectDeleted, "Subject '%s' was soft deleted. Set permanent=true to delete permanently", subject)
	default:
		return alive, nil
	}
}

// forget removes versions for good, and with the last one what was set for the
// subject. The highest id is written down first: with its schema gone and the
// topic compacted, it would be given again.
func (s *state) forget(subject string, gone []*version) []record {
	records := []record{{recordKey{Kind: kindNoop}, noopValue{s.maxID}}}
	for _, v := range slices.Backward(gone) {
		records = append(records, record{key: schemaKey(subject, v.number)})
	}
	if len(gone) < len(s.subjects[subject]) {
		return records
	}
	if _, ok := s.modes[subject]; ok {
		records = append(records, record{key: recordKey{Kind: kindMode, Subject: subject}})
	}
	if _, ok := s.levels[subject]; ok {
		records = append(records, record{key: recordKey{Kind: kindConfig, Subject: subject}})
	}
	return records
}

// deleteVersion deletes one version, softly or for good.
func (s *Store) deleteVersion(ctx context.Context, subject, which string, permanent bool) (number int, err error) {
	isPlanned := false
	err = s.write(ctx, func(st *state) ([]record, error) {
		if isPlanned {
			return nil, nil
		}
		v, err := st.deletableVersion(subject, which, permanent)
		if err != nil {
			return nil, err
		}
		isPlanned, number = true, v.number
		if permanent {
			return st.forget(subject, []*version{v}), nil
		}
		deleted := *v
		deleted.deleted = true
		return []record{deleted.record()}, nil
	})
	return number, err
}

func (s *state) deletableVersion(subject, which string, permanent bool) (*version, error) {
	if err := s.writable(subject); err != nil {
		return nil, err
	}
	f := live
	if permanent {
		f = liveAndDeleted
	}
	v, err := s.version(subject, which, f)
	switch {
	case err != nil && !permanent:
		if deleted, _ := s.version(subject, which, liveAndDeleted); deleted != nil {
			return nil, faultf(codeVersionDeleted, "Subject '%s' Version %d was soft deleted. Set permanent=true to delete permanently", subject, deleted.number)
		}
		return nil, err
	case err != nil:
		return nil, err
	case permanent && !v.deleted:
		return nil, faultf(codeVersionLive, "Subject '%s' Version %d was not deleted first before being permanently deleted", subject, v.number)
	}
	return v, nil
}

// setLevel sets the compatibility of a subject, "" for all without their own.
func (s *Store) setLevel(ctx context.Context, subject, level string) error {
	return s.write(ctx, func(st *state) ([]record, error) {
		if err := st.writable(subject); err != nil || st.levels[subject] == level {
			return nil, err
		}
		return []record{configRecord(subject, level)}, nil
	})
}

// deleteLevel lets a subject fall back to the global level, or the global one to
// the default, and tells what it was.
func (s *Store) deleteLevel(ctx context.Context, subject string) (old string, err error) {
	err = s.write(ctx, func(st *state) ([]record, error) {
		if err := st.writable(subject); err != nil {
			return nil, err
		}
		level, ok := st.levels[subject]
		switch {
		case ok:
			old = level
			return []record{{key: recordKey{Kind: kindConfig, Subject: subject}}}, nil
		case old != "":
			return nil, nil
		case subject == "":
			old = defaultLevel
			return nil, nil
		}
		return nil, noSubject(subject)
	})
	return old, err
}

// setMode sets the mode of a subject, "" for all without their own.
func (s *Store) setMode(ctx context.Context, subject, mode string) error {
	return s.write(ctx, func(st *state) ([]record, error) {
		if st.modes[subject] == mode {
			return nil, nil
		}
		return []record{{recordKey{Kind: kindMode, Subject: subject}, modeValue{subject, mode}}}, nil
	})
}

// deleteMode undoes setMode and tells what the mode was. Recursive takes the modes
// of all subjects with the prefix too, and finds it no fault that there are none.
func (s *Store) deleteMode(ctx context.Context, subject string, recursive bool) (old string, err error) {
	isPlanned := false
	err = s.write(ctx, func(st *state) ([]record, error) {
		mode, ok := st.modes[subject]
		switch {
		case isPlanned:
			return nil, nil
		case !ok && !recursive && subject != "":
			return nil, noSubject(subject)
		case !ok && subject == "":
			mode = modeReadWrite
		}
		isPlanned, old = true, mode
		var records []record
		for of := range st.modes {
			if of == subject || recursive && strings.HasPrefix(of, subject) {
				records = append(records, record{key: recordKey{Kind: kindMode, Subject: of}})
			}
		}
		return records, nil
	})
	return old, err
}
