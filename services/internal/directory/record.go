package directory

import (
	"encoding/json"
	"fmt"
)

// Record is one record of the directory's topic. A nil Value means gone.
type Record struct {
	Key   string
	Value []byte
}

// Record is the participant as it stands on the topic.
func (p Participant) Record() (Record, error) { return record(ParticipantKey(p.ID), p) }

// Record is the office as it stands on the topic.
func (o Office) Record() (Record, error) { return record(OfficeKey(o.ID), o) }

// Record is the service as it stands on the topic.
func (s Service) Record() (Record, error) { return record(ServiceKey(s.Code), s) }

// Record is the setting as it stands on the topic.
func (s Setting) Record() (Record, error) { return record(SettingKey(s.Name), s) }

// Record is the credential as it stands on the topic.
func (c Credential) Record() (Record, error) {
	return record(CredentialKey(c.Participant, c.ID), c)
}

func record(key string, value any) (Record, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return Record{}, fmt.Errorf("encode %s: %w", key, err)
	}
	return Record{Key: key, Value: data}, nil
}
