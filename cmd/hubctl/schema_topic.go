package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/relais-fr/relais/cmd/hubctl/internal/topic"
	"github.com/relais-fr/relais/schemas"
)

// topicFlags say which topic is read, and how one signs in at Kafka.
type topicFlags struct {
	name, bootstrap, user, passwordFile, ca, cert, key string
}

const defaultBootstrap = "127.0.0.1:9092"

func (t *topicFlags) set(flags *flag.FlagSet) {
	flags.StringVar(&t.name, "topic", "", "`topic` of Kafka that is read to its end, such as relais.to.cnaf")
	flags.StringVar(&t.bootstrap, "bootstrap", "", "`address` of Kafka, host:port[,host:port]; RELAIS_BOOTSTRAP in the environment, else "+defaultBootstrap)
	flags.StringVar(&t.user, "kafka-user", "", "`user` to sign in to Kafka as, by SCRAM-SHA-512; the password is RELAIS_KAFKA_PASSWORD in the environment, or in --kafka-password-file")
	flags.StringVar(&t.passwordFile, "kafka-password-file", "", "`file` with the password of --kafka-user")
	flags.StringVar(&t.ca, "kafka-ca", "", "`file` with the certificates, in PEM, of who signs those of the brokers, or system for those that this machine trusts; connects by TLS")
	flags.StringVar(&t.cert, "kafka-cert", "", "`file` with a certificate, in PEM, to sign in to Kafka with")
	flags.StringVar(&t.key, "kafka-key", "", "`file` with the key of --kafka-cert, in PEM")
}

// validate says what does not go together.
func (t *topicFlags) validate(offline bool) error {
	others := t.bootstrap + t.user + t.passwordFile + t.ca + t.cert + t.key
	switch {
	case t.name != "" && offline:
		return usage("--topic asks Kafka, --offline asks nobody")
	case t.name == "" && others != "":
		return usage("--bootstrap and --kafka-… are for --topic: which topic is to be read?")
	case t.passwordFile != "" && t.user == "":
		return usage("--kafka-password-file is given without --kafka-user")
	case (t.cert == "") != (t.key == ""):
		return usage("--kafka-cert and --kafka-key: give both, or neither")
	}
	return nil
}

// config is how the topic is read.
func (t *topicFlags) config(c *call) (topic.Config, error) {
	bootstrap := t.bootstrap
	if bootstrap == "" {
		bootstrap = or(c.environment, "RELAIS_BOOTSTRAP", defaultBootstrap)
	}
	cfg := topic.Config{Topic: t.name, Bootstrap: strings.Split(bootstrap, ","), User: t.user}
	var err error
	if t.user != "" {
		if cfg.Password, err = t.password(c); err != nil {
			return cfg, err
		}
	}
	if t.ca != "" || t.cert != "" {
		if cfg.TLS, err = topic.TLS(t.ca, t.cert, t.key); err != nil {
			return cfg, err
		}
	}
	return cfg, nil
}

// onTopic is what lies on a topic, and what the readers make of it.
type onTopic struct {
	source  *registryDoor
	readers []*readerFile

	found   topicFound
	writers map[int]*topicWriter // by schema id
}

// topicFound is what concerns every consumer of the topic, for programs.
type topicFound struct {
	Topic      string `json:"topic"`
	Partitions int    `json:"partitions"`
	Records    int    `json:"records"`
	// Others counts the records of events for which no reader was given, by event.
	Others     map[string]int `json:"other_events,omitempty"`
	Tombstones *places        `json:"tombstones,omitempty"`
	// Unframed have no schema id, Unknown one that the registry does not know.
	Unframed *places         `json:"unframed,omitempty"`
	Unknown  []unknownSchema `json:"unknown_schemas,omitempty"`
}

// unknownSchema is a schema id that records have, and by which nobody can read them.
type unknownSchema struct {
	ID     int    `json:"id"`
	Detail string `json:"detail"`
	places
}

// places are those of records: all are counted, the first few are kept.
type places struct {
	Count int     `json:"count"`
	First []place `json:"first"`
}

// place is where a record lies. Detail says what is wrong with it, if anything.
type place struct {
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Detail    string `json:"detail,omitempty"`
}

// keptPlaces is how many places are named of what may be wrong with every record.
const keptPlaces = 10

func (p *places) add(r topic.Record, detail string) {
	if p.Count++; len(p.First) < keptPlaces {
		p.First = append(p.First, place{r.Partition, r.Offset, detail})
	}
}

// topicWriter is a schema that records of the topic are written with.
type topicWriter struct {
	schema liveVersion
	// unknown says why it cannot be had, "" where it can.
	unknown string
	all     places
	// readings are of the readers that can read it, by file.
	readings map[*readerFile]*topicReading
}

// topicReading is what one reader makes of one writer's records.
type topicReading struct {
	*schemas.AvroReading
	unreadable places
}

// breaks says whether some record stops every consumer, whatever its schema. A
// tombstone does not: it is given to a consumer as nothing.
func (f *topicFound) breaks() bool { return f.Unframed != nil || len(f.Unknown) > 0 }

// readTopic reads the topic to its end and holds every record against the readers.
func (s *schemaCheck) readTopic(ctx context.Context, c *call, readers []*readerFile) error {
	cfg, err := s.topic.config(c)
	if err != nil {
		return err
	}
	progress := &topicProgress{out: c.err, terminal: c.terminal, topic: cfg.Topic}
	cfg.Progress = progress.step
	s.on = &onTopic{source: s.source, readers: readers, writers: map[int]*topicWriter{}, found: topicFound{Topic: cfg.Topic}}
	s.on.found.Partitions, err = topic.Read(ctx, cfg, func(r topic.Record) error { return s.on.take(ctx, r) })
	progress.end()
	if err != nil {
		return err
	}
	s.on.conclude()
	return nil
}

// take counts a record, and reads it as each of its event's readers would.
func (t *onTopic) take(ctx context.Context, r topic.Record) error {
	t.found.Records++
	if r.Value == nil {
		t.found.Tombstones = t.found.Tombstones.with(r)
		return nil
	}
	id, ok := schemas.SchemaID(r.Value)
	if !ok {
		t.found.Unframed = t.found.Unframed.with(r)
		return nil
	}
	w, err := t.writer(ctx, id)
	if err != nil {
		return err
	}
	w.all.add(r, "")
	for _, reading := range w.readings {
		if _, err := reading.Canonical(r.Value[framing:]); err != nil {
			reading.unreadable.add(r, err.Error())
		}
	}
	return nil
}

// framing is how long Confluent's is: a zero byte and the schema's id.
const framing = 5

func (p *places) with(r topic.Record) *places {
	if p == nil {
		p = new(places)
	}
	p.add(r, "")
	return p
}

// writer is the schema with an id, which the registry is asked for once.
func (t *onTopic) writer(ctx context.Context, id int) (*topicWriter, error) {
	if w := t.writers[id]; w != nil {
		return w, nil
	}
	w := &topicWriter{readings: map[*readerFile]*topicReading{}}
	var err error
	var says *registryError
	w.schema, err = t.source.schema(ctx, id)
	switch {
	case errors.As(err, &says) && says.Code == registryHasNoSchema:
		w.unknown = "the registry does not know it: is it the one that the topic's events were written with?"
	case errors.Is(err, schemas.ErrSchema), errors.Is(err, schemas.ErrSchemaTooLarge):
		w.unknown = err.Error()
	case err != nil:
		return nil, err
	}
	if w.unknown == "" {
		for _, f := range t.readers {
			if f.entry.Type == w.schema.parsed.FullName && len(f.schema.CannotRead(w.schema.parsed)) == 0 {
				w.readings[f] = &topicReading{AvroReading: schemas.NewAvroReading(f.schema, w.schema.parsed)}
			}
		}
	}
	t.writers[id] = w
	return w, nil
}

// conclude sums up what concerns all readers.
func (t *onTopic) conclude() {
	for _, id := range slices.Sorted(maps.Keys(t.writers)) {
		w := t.writers[id]
		name := w.schema.parsed.FullName
		switch {
		case w.unknown != "":
			t.found.Unknown = append(t.found.Unknown, unknownSchema{id, w.unknown, w.all})
		case !slices.ContainsFunc(t.readers, func(f *readerFile) bool { return f.entry.Type == name }):
			if t.found.Others == nil {
				t.found.Others = map[string]int{}
			}
			if e, ok := schemas.Lookup(name); ok {
				name = e.Name
			}
			t.found.Others[name] += w.all.Count
		}
	}
}

// of are the writers of an event's records, by schema id.
func (t *onTopic) of(typ string) map[int]*topicWriter {
	if t == nil {
		return nil
	}
	all := maps.Clone(t.writers)
	maps.DeleteFunc(all, func(_ int, w *topicWriter) bool { return w.unknown != "" || w.schema.parsed.FullName != typ })
	return all
}

// password is that of --kafka-user. It is no flag: others on the machine see those.
func (t *topicFlags) password(c *call) (string, error) {
	if t.passwordFile != "" {
		return topic.Secret(t.passwordFile)
	}
	if password := or(c.environment, "RELAIS_KAFKA_PASSWORD", ""); password != "" {
		return password, nil
	}
	return "", usage("--kafka-user %s has no password: put it into RELAIS_KAFKA_PASSWORD in the environment, or give --kafka-password-file", t.user)
}

func (p place) String() string { return fmt.Sprintf("partition %d, offset %d", p.Partition, p.Offset) }
