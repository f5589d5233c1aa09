package registry

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/relais-fr/relais/schemas"
)

// offer is a schema as a client hands it in. What it does not know is ignored.
type offer struct {
	Schema     string          `json:"schema"`
	SchemaType string          `json:"schemaType"`
	References json.RawMessage `json:"references"`
	Metadata   json.RawMessage `json:"metadata"`
	RuleSet    json.RawMessage `json:"ruleSet"`
	ID         *int            `json:"id"`
	Version    *int            `json:"version"`
}

// parsed is an offer that was found to be Avro within the bounds.
type parsed struct {
	schemas.AvroSchema
	text      string // as it is kept
	normalize bool
	version   int // the one asked for, 0 for the next
}

// parse judges an offer. What is not kept here (rules, metadata, references) is
// refused rather than dropped: a client that asks for encryption must not believe
// that it has it.
func (o offer) parse(normalize bool) (parsed, error) {
	switch {
	case o.SchemaType != "" && o.SchemaType != typeAvro:
		return parsed{}, faultf(codeInvalidSchema, "Invalid schema type %.40q: this registry keeps AVRO.", o.SchemaType)
	case isGiven(o.RuleSet):
		return parsed{}, faultf(codeInvalidRuleSet, "Rule sets are not kept here.")
	case isGiven(o.References):
		return parsed{}, faultf(codeInvalidSchema, "Invalid schema: references are not kept here, put the types into the schema.")
	case isGiven(o.Metadata):
		return parsed{}, faultf(codeInvalidSchema, "Invalid schema: metadata is not kept here.")
	case o.Schema == "":
		return parsed{}, faultf(codeInvalidSchema, "Invalid schema: it is empty.")
	}
	schema, err := schemas.ParseAvro(o.Schema)
	if errors.Is(err, schemas.ErrSchemaTooLarge) {
		return parsed{}, faultf(codeSchemaTooLarge, "Invalid schema: %v", err)
	}
	if err != nil {
		return parsed{}, faultf(codeInvalidSchema, "Invalid schema: %v", err)
	}
	p := parsed{AvroSchema: schema, text: schema.Canonical, normalize: normalize}
	if normalize {
		p.text = schema.Normal
	}
	if o.Version != nil && *o.Version > 0 {
		p.version = *o.Version
	}
	return p, nil
}

// isGiven says whether a member holds anything at all.
func isGiven(raw json.RawMessage) bool {
	return !slices.Contains([]string{"", "null", "[]", "{}"}, string(raw))
}

// is says whether a content is this schema.
func (p parsed) is(c *content) bool {
	if !c.isAvro {
		return false
	}
	return c.avro.Canonical == p.Canonical || c.text == p.text || p.normalize && c.avro.Normal == p.Normal
}

// register makes sure that a subject has the schema, and tells its version.
func (s *Store) register(ctx context.Context, subject string, o offer, normalize bool) (id, number int, err error) {
	if err := validSubject(subject); err != nil {
		return 0, 0, err
	}
	p, err := o.parse(normalize)
	if err != nil {
		return 0, 0, err
	}
	err = s.write(ctx, func(st *state) ([]record, error) {
		if o.ID != nil && *o.ID >= 0 {
			return nil, faultf(codeNotPermitted, "Subject %s is not in import mode", subject)
		}
		if err := st.writable(subject); err != nil {
			return nil, err
		}
		if v := st.find(subject, p, live); v != nil {
			id, number = v.id, v.number
			return nil, nil
		}
		d := st.draft()
		err := d.add(subject, p)
		return d.records, err
	})
	return id, number, err
}

// validSubject refuses names that no registry takes.
func validSubject(subject string) error {
	const maxSubject = 1000
	if subject == "" || len(subject) > maxSubject || subject == "__GLOBAL" || subject == "__EMPTY" ||
		strings.ContainsFunc(subject, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		return faultf(codeInvalidSubject, "The specified subject is not a valid subject.")
	}
	return nil
}

// find is the subject's newest version with this schema.
func (s *state) find(subject string, p parsed, f filter) *version {
	for _, v := range slices.Backward(s.versions(subject, f)) {
		if p.is(v.content) {
			return v
		}
	}
	return nil
}

// draft is a set of records to come on top of a state. Ids that it gives are the
// ones that the log will give, if nobody else is first.
type draft struct {
	*state
	records []record
	nextID  int
	fresh   map[contentID]int
}

func (s *state) draft() *draft {
	return &draft{state: s, nextID: s.maxID + 1, fresh: map[contentID]int{}}
}

// add puts the schema under the subject as its next version, if the subject's
// compatibility allows it.
func (d *draft) add(subject string, p parsed) error {
	return d.addUnder(subject, p, d.level(subject))
}

func (d *draft) addUnder(subject string, p parsed, level string) error {
	if found := problems(level, p.AvroSchema, d.versions(subject, live)); len(found) > 0 {
		return incompatible(subject, found)
	}
	number := 1
	if last := d.latest(subject, liveAndDeleted); last != nil {
		number = last.number + 1
	}
	if p.version != 0 && p.version != number {
		return faultf(codeInvalidSchema, "Version is not one more than previous version")
	}
	v := schemaValue{Subject: subject, Version: number, Schema: p.text}
	c := newContent(v)
	v.ID = d.idOf(c.identity())
	if v.ID == 0 {
		if d.nextID > maxID {
			return faultf(codeStore, "There are no schema ids left.")
		}
		v.ID = d.nextID
		d.nextID++
		d.fresh[c.identity()] = v.ID
	}
	d.records = append(d.records, schemaRecord(v))
	return nil
}

// idOf is the id that a content has already, 0 when it has none.
func (d *draft) idOf(c contentID) int {
	if id := d.ids[c]; id != 0 {
		return id
	}
	return d.fresh[c]
}

// registerOurs makes sure that every event of the catalogue is there, under its
// full name and under the strictest level. A level that somebody has set for the
// subject stays.
func (s *Store) registerOurs(ctx context.Context) error {
	type ours struct {
		subject string
		parsed
	}
	var all []ours
	for _, e := range schemas.Catalogue() {
		p, err := offer{Schema: e.Schema}.parse(false)
		if err != nil {
			return err
		}
		all = append(all, ours{e.Type, p})
	}
	return s.write(ctx, func(st *state) ([]record, error) {
		d := st.draft()
		for _, o := range all {
			level, known := d.levels[o.subject]
			if !known {
				level = ourLevel
				d.records = append(d.records, configRecord(o.subject, ourLevel))
			}
			if st.find(o.subject, o.parsed, live) != nil {
				continue
			}
			if err := d.addUnder(o.subject, o.parsed, level); err != nil {
				return nil, err
			}
		}
		return d.records, nil
	})
}
