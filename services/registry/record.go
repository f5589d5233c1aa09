package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// The kinds of record on `_schemas` that mean something here, by Confluent's own
// names. Those of others (contexts, associations, …) are passed over.
const (
	kindSchema        = "SCHEMA"
	kindConfig        = "CONFIG"
	kindMode          = "MODE"
	kindDeleteSubject = "DELETE_SUBJECT"
	kindNoop          = "NOOP"
)

// recordKey is the key of a record, its members in Confluent's order: the topic
// is compacted by these bytes.
type recordKey struct {
	Kind    string `json:"keytype"`
	Subject string `json:"subject,omitempty"`
	Version int    `json:"version,omitempty"`
	Magic   int    `json:"magic"`
}

// schemaValue is what a SCHEMA record says. The fields after Deleted are kept as
// they are: another registry may have written them.
type schemaValue struct {
	Subject    string          `json:"subject"`
	Version    int             `json:"version"`
	ID         int             `json:"id"`
	Schema     string          `json:"schema"`
	Deleted    bool            `json:"deleted"`
	SchemaType string          `json:"schemaType,omitempty"`
	References json.RawMessage `json:"references,omitempty"`
	Metadata   json.RawMessage `json:"metadata,omitempty"`
	RuleSet    json.RawMessage `json:"ruleSet,omitempty"`
}

type configValue struct {
	Subject string `json:"subject,omitempty"`
	Level   string `json:"compatibilityLevel,omitempty"`
}

type modeValue struct {
	Subject string `json:"subject,omitempty"`
	Mode    string `json:"mode"`
}

type deleteSubjectValue struct {
	Subject string `json:"subject"`
	// Version is the last version that is deleted, with all before it.
	Version int `json:"version"`
}

// noopValue is our own addition where Confluent's registry looks at the key only.
// It remembers the highest id ever given once the schema that had it is gone for
// good: consumers cache ids for ever.
type noopValue struct {
	MaxID int `json:"maxId"`
}

// record is a key with one of the values above; a nil value removes the key.
type record struct {
	key   recordKey
	value any
}

func schemaRecord(v schemaValue) record {
	return record{schemaKey(v.Subject, v.Version), v}
}

func schemaKey(subject string, version int) recordKey {
	return recordKey{Kind: kindSchema, Subject: subject, Version: version, Magic: 1}
}

// encode gives the bytes for the log; a nil value stays nil, a tombstone.
func (r record) encode() (key, value []byte, err error) {
	if key, err = encodeJSON(r.key); err != nil || r.value == nil {
		return key, nil, err
	}
	value, err = encodeJSON(r.value)
	return key, value, err
}

func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// errPassedOver marks a record that is nothing to this registry.
var errPassedOver = errors.New("not a record of ours")

// decodeRecord reads a record of `_schemas`, which another registry may have
// written.
func decodeRecord(key, value []byte) (record, error) {
	var r record
	if err := json.Unmarshal(key, &r.key); err != nil {
		return record{}, fmt.Errorf("key: %w", err)
	}
	var err error
	switch r.key.Kind {
	case kindSchema:
		if r.key.Subject == "" || r.key.Version <= 0 || r.key.Magic < 0 || r.key.Magic > 1 {
			return record{}, errors.New("key of a schema without a subject or version, or of an unknown format")
		}
		r.value, err = decodeValue[schemaValue](value)
	case kindConfig:
		r.value, err = decodeValue[configValue](value)
	case kindMode:
		r.value, err = decodeValue[modeValue](value)
	case kindDeleteSubject:
		r.value, err = decodeValue[deleteSubjectValue](value)
	case kindNoop:
		r.value, err = decodeValue[noopValue](value)
	default:
		return record{}, errPassedOver
	}
	return r, err
}

func decodeValue[V any](value []byte) (any, error) {
	// Karapace, which keeps the same log, writes an empty value where Confluent's
	// registry writes none.
	if len(value) == 0 {
		return nil, nil
	}
	var v V
	if err := json.Unmarshal(value, &v); err != nil {
		return nil, fmt.Errorf("value: %w", err)
	}
	return v, nil
}
