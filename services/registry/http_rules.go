package registry

// levelObject is how a level is shown; a request has it under another name.
type levelObject struct {
	Level string `json:"compatibilityLevel"`
}

type levelRequest struct {
	Level string `json:"compatibility"`
}

type modeObject struct {
	Mode string `json:"mode,omitempty"`
}

func (r *Registry) getLevel(c call) (answer any, err error) {
	subject := c.subject()
	r.store.read(func(s *state) {
		level, ok := s.levels[subject]
		if !ok && (subject == "" || c.flag("defaultToGlobal")) {
			level, ok = s.level(subject), true
		}
		if !ok {
			err = faultf(codeNoSubjectLevel, "Subject '%s' does not have subject-level compatibility configured", subject)
			return
		}
		answer = levelObject{level}
	})
	return answer, err
}

func (r *Registry) putLevel(c call) (any, error) {
	var request levelRequest
	if err := c.body(&request); err != nil {
		return nil, err
	}
	level, err := parseLevel(request.Level)
	if err != nil {
		return nil, err
	}
	if err := validOrGlobal(c.subject()); err != nil {
		return nil, err
	}
	return levelRequest{level}, r.store.setLevel(c.Context(), c.subject(), level)
}

func validOrGlobal(subject string) error {
	if subject == "" {
		return nil
	}
	return validSubject(subject)
}

func (r *Registry) deleteLevel(c call) (any, error) {
	old, err := r.store.deleteLevel(c.Context(), c.subject())
	return levelObject{old}, err
}

func (r *Registry) getMode(c call) (answer any, err error) {
	subject := c.subject()
	r.store.read(func(s *state) {
		mode, ok := s.modes[subject]
		if !ok && (subject == "" || c.flag("defaultToGlobal")) {
			mode, ok = s.mode(subject), true
		}
		if !ok {
			err = faultf(codeNoSubjectMode, "Subject '%s' does not have subject-level mode configured", subject)
			return
		}
		answer = modeObject{mode}
	})
	return answer, err
}

func (r *Registry) putMode(c call) (any, error) {
	var request modeObject
	if err := c.body(&request); err != nil {
		return nil, err
	}
	mode, err := parseMode(request.Mode, c.subject())
	if err != nil {
		return nil, err
	}
	if err := validOrGlobal(c.subject()); err != nil {
		return nil, err
	}
	return modeObject{mode}, r.store.setMode(c.Context(), c.subject(), mode)
}

func (r *Registry) deleteMode(c call) (any, error) {
	old, err := r.store.deleteMode(c.Context(), c.subject(), c.flag("recursive"))
	return modeObject{old}, err
}

// compatibilityObject says whether a schema may follow others.
type compatibilityObject struct {
	IsCompatible bool     `json:"is_compatible"`
	Messages     []string `json:"messages,omitempty"`
}

// checkAll does the check of a registration.
func (r *Registry) checkAll(c call) (any, error) {
	return r.check(c, func(s *state) ([]*version, error) { return s.versions(c.subject(), live), nil })
}

// checkOne checks against one version, whether the level is transitive or not. A
// subject without any version stands in nobody's way.
func (r *Registry) checkOne(c call) (any, error) {
	return r.check(c, func(s *state) ([]*version, error) {
		number, err := parseVersion(c.PathValue("version"))
		if err != nil {
			return nil, err
		}
		v := s.subjects[c.subject()][number]
		if number == latestVersion {
			if v = s.latest(c.subject(), live); v == nil {
				return nil, nil
			}
		}
		if v == nil || v.deleted {
			return nil, noVersion(number)
		}
		return []*version{v}, nil
	})
}

func (r *Registry) check(c call, against func(*state) ([]*version, error)) (any, error) {
	var o offer
	if err := c.body(&o); err != nil {
		return nil, err
	}
	p, parseErr := o.parse(c.flag("normalize"))
	var (
		found []string
		err   error
	)
	r.store.read(func(s *state) {
		var older []*version
		if older, err = against(s); err == nil && parseErr == nil {
			found = problems(s.level(c.subject()), p.AvroSchema, older)
		}
	})
	switch {
	case err != nil:
		return nil, err
	case parseErr != nil && !c.flag("verbose"):
		return nil, parseErr
	case parseErr != nil:
		found = []string{parseErr.Error()}
	}
	result := compatibilityObject{IsCompatible: len(found) == 0}
	if c.flag("verbose") {
		result.Messages = found
	}
	return result, nil
}
