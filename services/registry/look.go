package registry

import (
	"strconv"
	"strings"
)

// version is the version that a path names: a number, latest or -1.
func (s *state) version(subject, which string, f filter) (*version, error) {
	number, err := parseVersion(which)
	if err != nil {
		return nil, err
	}
	if len(s.versions(subject, f)) == 0 {
		return nil, noSubject(subject)
	}
	v := s.subjects[subject][number]
	if number == latestVersion {
		v = s.latest(subject, f)
	}
	if v == nil || !f.takes(v) {
		return nil, noVersion(which)
	}
	return v, nil
}

// latestVersion stands for the newest version of a subject.
const latestVersion = -1

func parseVersion(which string) (int, error) {
	which = strings.TrimSpace(which)
	if strings.EqualFold(which, "latest") {
		return latestVersion, nil
	}
	number, err := strconv.ParseInt(which, 10, 32)
	if err != nil || number < 1 && number != latestVersion {
		return 0, faultf(codeInvalidVersion, "The specified version '%.40s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", which)
	}
	return int(number), nil
}

// content is the schema with an id, deleted ones included: what was written with
// it can be read as long as anything remembers it.
func (s *state) content(id string) (*content, error) {
	number, err := strconv.ParseInt(id, 10, 32)
	if err != nil {
		return nil, faultf(codeNotFound, "HTTP 404 Not Found")
	}
	c := s.contents[int(number)]
	if c == nil {
		return nil, noSchema(number)
	}
	return c, nil
}

// byGUID is the schema with a GUID.
func (s *state) byGUID(guid string) (*content, error) {
	for _, c := range s.contents {
		if strings.EqualFold(c.guid(), guid) {
			return c, nil
		}
	}
	return nil, noSchema(guid)
}

// normalSubject takes the default context off a name: `:.:x` is `x`, and `:.:`
// alone is what has no subject.
func normalSubject(subject string) string { return strings.TrimPrefix(subject, ":.:") }

// contexts are the name spaces of subjects such as `:.team:orders`. Here they are
// part of the name, and ids are one for all.
func (s *state) contexts() []string {
	names := []string{"."}
	seen := map[string]bool{".": true}
	for _, subject := range s.subjectNames(":.", live) {
		name, _, ok := strings.Cut(subject[1:], ":")
		if ok && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}
