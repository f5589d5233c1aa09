package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/relais-fr/relais/schemas"
)

func schemaCheckCommand() command {
	return command{
		name: "schema check", args: "FILE.avsc…", short: "check that your reader schemas read what is live, and what comes",
		long: `
For an operator's build: can a consumer with this schema read every version of the
event that is live at the registry, and will it read what the hub's next version
writes? Each version that it cannot read is told with the field, its type and what to
do, and the exit code is 1.

  hubctl schema check visit.avsc
  hubctl schema check --participant cnaf src/main/avro/*.avsc
  hubctl schema check --event ReferralMade --against next/schemas reader.avsc --json
  hubctl schema check --offline reader.avsc

The event is that of the schema's name, unless --event gives it. With --participant
the first thousand events of its mailbox are looked at too, without acknowledging
them: which schemas they were written with. The next version is that of this hubctl,
which comes with the schemas of the hub that it was built with, or the .avsc of
--against.

With --topic everything that lies on the participant's own topic is read, up to what
was its end at the start, and each record of an event whose schema is given is decoded
with it. A record that cannot be read is named by partition and offset; those of other
events are counted. It needs the right to read the topic and nothing else, and no
consumer group: no consumer's place is moved.

  hubctl schema check --topic relais.to.cnaf src/main/avro/*.avsc
  RELAIS_KAFKA_PASSWORD=… hubctl schema check --topic relais.to.cnaf \
    --bootstrap kafka.example:9093 --kafka-ca ca.pem --kafka-user cnaf reader.avsc
  hubctl schema check --topic relais.to.cnaf --bootstrap kafka.example:9293 \
    --kafka-ca ca.pem --kafka-cert cnaf.pem --kafka-key cnaf.key reader.avsc`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			s := &schemaCheck{}
			flags.StringVar(&s.registry, "registry-url", "", "`address` of the schema registry; RELAIS_REGISTRY_URL in the environment, else "+defaultRegistry)
			flags.StringVar(&s.event, "event", "", "`name` of the event, where the schema's own is another")
			flags.StringVar(&s.participant, "participant", "", "`participant` whose mailbox is read, such as cnaf")
			flags.StringVar(&s.against, "against", "", "`file` or folder with the .avsc of the hub's next version")
			s.topic.set(flags)
			flags.BoolVar(&s.offline, "offline", false, "ask nobody: look at the next version only")
			flags.BoolVar(&s.json, "json", false, "print the findings as JSON")
			return s.run
		},
	}
}

// schemaCheck is one call of schema check.
type schemaCheck struct {
	registry, event, participant, against string
	topic                                 topicFlags
	offline, json                         bool

	source *registryDoor
	next   map[string]string // by type, of --against
	lying  map[string]map[int]int
	read   int
	on     *onTopic // nil without --topic
}

// readerFile is a schema that the operator's consumer reads with.
type readerFile struct {
	name   string
	schema schemas.AvroSchema
	entry  schemas.Entry
}

// checkedSchema is what was found of one reader schema.
type checkedSchema struct {
	File  string `json:"file"`
	Event string `json:"event"`
	OK    bool   `json:"ok"`
	// Versions are the schemas that it was held against, oldest first.
	Versions []checkedVersion `json:"versions"`
	// Topic is what concerns every consumer of the topic that was read.
	Topic *topicFound `json:"topic,omitempty"`
}

// checkedVersion is one schema that data is, or will be, written with.
type checkedVersion struct {
	// What says which: `version 2, live at the registry`.
	What    string `json:"what"`
	Version int    `json:"version,omitempty"`
	ID      int    `json:"id,omitempty"`
	// Next says that the hub's next version writes it.
	Next bool `json:"next,omitempty"`
	// Events is how many of the participant's mailbox were written with it.
	Events int `json:"events,omitempty"`
	// Records are those of the topic that were written with it, Unreadable those of
	// them that this reader fails on although the schemas agree.
	Records    *places         `json:"records,omitempty"`
	Unreadable *places         `json:"unreadable,omitempty"`
	OK         bool            `json:"ok"`
	Problems   []schemaProblem `json:"problems,omitempty"`
}

// schemaProblem is one reason for which a reader cannot read.
type schemaProblem struct {
	Kind   string `json:"kind"`
	Field  string `json:"field"`
	Path   string `json:"path"`
	Type   string `json:"type"`
	Writer string `json:"writer_type,omitempty"`
	Detail string `json:"detail"`
	Do     string `json:"do"`
}

func (s *schemaCheck) run(ctx context.Context, c *call) error {
	switch {
	case len(c.args) == 0:
		return usage("give the schema that your consumer reads with, a file or several")
	case s.offline && s.participant != "":
		return usage("--participant asks the hub, --offline asks nobody")
	}
	if err := s.topic.validate(s.offline); err != nil {
		return err
	}
	readers, err := s.readers(c.args)
	if err != nil {
		return err
	}
	if err := s.prepare(ctx, c); err != nil {
		return err
	}
	if s.topic.name != "" {
		if err := s.readTopic(ctx, c, readers); err != nil {
			return err
		}
	}
	var all []checkedSchema
	ok := true
	for _, reader := range readers {
		checked, err := s.check(ctx, reader)
		if err != nil {
			return err
		}
		all, ok = append(all, checked), ok && checked.OK
	}
	if s.json {
		text, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			return err
		}
		c.out.printf("%s\n", text)
	} else {
		s.print(c.out, all)
	}
	if !ok {
		return errSaid
	}
	return nil
}

// prepare reads what is the same for all files.
func (s *schemaCheck) prepare(ctx context.Context, c *call) error {
	var err error
	if s.next, err = readAgainst(s.against); err != nil || s.offline {
		return err
	}
	if s.source, err = c.registryDoor(s.registry); err != nil || s.participant == "" {
		return err
	}
	client, err := c.client(s.participant)
	if err != nil {
		return err
	}
	s.lying, s.read, err = schemasInMailbox(ctx, client)
	return err
}

// readSchema is the text of a file and the schema in it.
func readSchema(file string) (text string, schema schemas.AvroSchema, err error) {
	read, err := os.ReadFile(file) //nolint:gosec // the file is the one that was asked for
	if err != nil {
		return "", schema, err
	}
	if schema, err = schemas.ParseAvro(string(read)); err != nil {
		return "", schema, fmt.Errorf("%s: %w", file, err)
	}
	return string(read), schema, nil
}

// readers are the schemas of the files.
func (s *schemaCheck) readers(files []string) ([]*readerFile, error) {
	var all []*readerFile
	for _, file := range files {
		_, reader, err := readSchema(file)
		if err != nil {
			return nil, err
		}
		entry, err := s.entry(file, reader)
		if err != nil {
			return nil, err
		}
		all = append(all, &readerFile{file, reader, entry})
	}
	return all, nil
}

// check holds one file against everything.
func (s *schemaCheck) check(ctx context.Context, reader *readerFile) (checkedSchema, error) {
	versions, err := s.versions(ctx, reader.entry)
	if err != nil {
		return checkedSchema{}, err
	}
	result := checkedSchema{File: reader.name, Event: reader.entry.Name, OK: true}
	if s.on != nil {
		result.Topic, result.OK = &s.on.found, !s.on.found.breaks()
	}
	for _, v := range versions {
		found := reader.schema.CannotRead(v.schema)
		checked := v.checkedVersion
		checked.OK = len(found) == 0
		if w := s.on.of(reader.entry.Type)[v.ID]; w != nil {
			checked.Records = &w.all
			if r := w.readings[reader]; r != nil && r.unreadable.Count > 0 {
				checked.Unreadable, checked.OK = &r.unreadable, false
			}
		}
		for _, f := range found {
			checked.Problems = append(checked.Problems, schemaProblem{f.Kind, f.Field, f.Path, f.Reader, f.Writer, f.Detail, f.Remedy})
		}
		result.OK = result.OK && checked.OK
		result.Versions = append(result.Versions, checked)
	}
	return result, nil
}

// entry is the event that a schema is for: the one asked for, else that of its name.
// A consumer may have put it into a name space of its own.
func (s *schemaCheck) entry(file string, reader schemas.AvroSchema) (schemas.Entry, error) {
	if s.event != "" {
		e, ok := eventOf(s.event)
		if !ok {
			return e, usage("--event %q is not in the catalogue; %s", s.event, similar(s.event))
		}
		return e, nil
	}
	name := reader.FullName
	if e, ok := schemas.Lookup(name); ok {
		return e, nil
	}
	for _, e := range schemas.Catalogue() {
		if e.Name == name[strings.LastIndexByte(name, '.')+1:] {
			return e, nil
		}
	}
	return schemas.Entry{}, fmt.Errorf("%s: %q is no event of the catalogue: say with --event which one it reads", file, name)
}

// writer is a schema that data is written with.
type writer struct {
	checkedVersion
	schema schemas.AvroSchema
}

// versions are the schemas that an event's data is written with, or will be.
func (s *schemaCheck) versions(ctx context.Context, entry schemas.Entry) ([]writer, error) {
	var all []writer
	if !s.offline {
		live, err := s.source.versions(ctx, entry.Type)
		if err != nil {
			return nil, err
		}
		for _, v := range live {
			all = append(all, v.writer(fmt.Sprintf("version %d, live at the registry", v.Version)))
		}
		if all, err = s.written(ctx, entry, all); err != nil {
			return nil, err
		}
	}
	what, next := "the next version, that of this hubctl", entry.Schema
	if s.against != "" {
		what = "the next version, that of " + s.against
		next = s.next[entry.Type]
		if next == "" {
			return nil, fmt.Errorf("%s has no schema of %s: give the folder with all of the next version's, or the event's own file", s.against, entry.Type)
		}
	}
	parsed, err := schemas.ParseAvro(next)
	if err != nil {
		return nil, fmt.Errorf("the next version of %s: %w", entry.Name, err)
	}
	if i := slices.IndexFunc(all, func(w writer) bool { return w.schema.Canonical == parsed.Canonical }); i >= 0 {
		all[i].Next = true
		return all, nil
	}
	return append(all, writer{checkedVersion{What: what, Next: true}, parsed}), nil
}

// written adds the schemas that lie in the mailbox or on the topic, live or not.
func (s *schemaCheck) written(ctx context.Context, entry schemas.Entry, all []writer) ([]writer, error) {
	ids := map[int]bool{}
	for id := range s.lying[entry.Type] {
		ids[id] = true
	}
	for id := range s.on.of(entry.Type) {
		ids[id] = true
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		i := slices.IndexFunc(all, func(w writer) bool { return w.ID == id })
		if i < 0 {
			v, err := s.source.schema(ctx, id)
			if err != nil {
				return nil, err
			}
			i, all = len(all), append(all, v.writer("a version that is live no more"))
		}
		all[i].Events = s.lying[entry.Type][id]
	}
	return all, nil
}

// readAgainst reads the schemas of a file or folder, by their full names.
func readAgainst(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.avsc")); err != nil {
			return nil, err
		}
	}
	byType := map[string]string{}
	for _, file := range files {
		text, schema, err := readSchema(file)
		if err != nil {
			return nil, err
		}
		byType[schema.FullName] = text
	}
	if len(byType) == 0 {
		return nil, errors.New(path + " has no .avsc file")
	}
	return byType, nil
}
