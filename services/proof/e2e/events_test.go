package e2e

import (
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/relais-fr/relais/schemas"
)

// structured is the content type of a CloudEvent in JSON.
const structured = "application/cloudevents+json"

// service is one that cnaf offers.
const service = "logement/demande-d-une-allocation-logement-apl-als-alf"

// event is a CloudEvent as its sender writes it.
type event map[string]any

// newEvent is an event with an id of its own.
func newEvent(from, typ, subject string, data any) event {
	return event{
		"specversion": "1.0", "id": uuid.NewString(), "source": "/participants/" + from + "/e2e", "type": typ, "subject": subject,
		"time": time.Now().UTC().Format(time.RFC3339), "datacontenttype": "application/json", "data": data,
	}
}

// with is the event with another value of one attribute.
func (e event) with(name string, value any) event {
	e[name] = value
	return e
}

func (e event) subject() string { return e["subject"].(string) }

func (e event) json(t testing.TB) []byte {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// newReferral is a referral that opens a dossier, and its reference.
func newReferral(from, to string) (e event, reference string) {
	reference, err := schemas.NewReference(rand.Reader)
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return newEvent(from, schemas.TypeReferralMade, uuid.NewString(), map[string]any{
		"from": from, "to": to, "service": service, "reference": reference,
	}), reference
}
