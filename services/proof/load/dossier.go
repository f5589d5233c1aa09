package load

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"

	"github.com/google/uuid"

	"github.com/relais-fr/relais/schemas"
)

// operators are those of the national basket who take part, each with a service
// that it offers.
var operators = []struct{ id, service string }{
	{"cnaf", "logement/demande-d-une-allocation-logement-apl-als-alf"},
	{"ft", "emploi-formation/inscription-a-pole-emploi"},
	{"cnam", "sante-handicap/aide-medicale-de-l-etat-ame-pour-les-personnes-en-situation"},
}

// offices is how many of the sample offices take part.
const offices = 20

// Operators are the participants of the load that have topics of their own.
func Operators() (ids []string) {
	for _, o := range operators {
		ids = append(ids, o.id)
	}
	return ids
}

// step is one event of a dossier to come.
type step struct {
	by     string
	typ    string
	data   map[string]any
	reason schemas.Reason
}

// dossier is a referral that its clients carry on event by event: the next is
// handed in when the one before is acknowledged, and, by another participant on
// Kafka, when that one has it on its topic.
type dossier struct {
	number  int
	subject string
	topic   bool
	// sender and recipient are parties: `cnaf`, `offices/demo-1`.
	sender, recipient string
	steps             []step
	next              int
}

// party is how outcomes name a participant.
func party(id string, office bool) string {
	if office {
		return schemas.OfficesParticipant + "/" + id
	}
	return id
}

// newDossier makes the dossier of a number: its clients, their door and what they
// will do follow from the random numbers alone.
func newDossier(r *rand.Rand, number int) *dossier {
	var id [16]byte
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	d := &dossier{number: number, subject: uuid.UUID(id).String(), topic: r.IntN(3) == 0}
	one := r.IntN(len(operators))
	other := (one + 1 + r.IntN(len(operators)-1)) % len(operators)
	office := fmt.Sprintf("demo-%d", 1+r.IntN(offices))
	from, to, service, stranger := operators[one].id, operators[other].id, operators[other].service, operators[3-one-other].id
	d.sender, d.recipient = party(from, false), party(to, false)
	switch {
	case d.topic && r.IntN(2) == 0:
		// Both on Kafka.
	case d.topic || r.IntN(2) == 0:
		to, service, d.recipient = office, operators[one].service, party(office, true)
	default:
		from, d.sender = office, party(office, true)
	}
	d.steps = referral(r, from, to, service)
	if d.topic && d.recipient == party(to, true) {
		d.steps = monologue(r, from, to, service)
	}
	d.provoke(r, stranger)
	return d
}

// referral is one that goes its whole way.
func referral(r *rand.Rand, from, to, service string) []step {
	steps := []step{
		made(r, from, to, service),
		{by: to, typ: schemas.TypeReferralReceived, data: map[string]any{}},
		{by: to, typ: schemas.TypeReviewStarted, data: map[string]any{}},
		{by: to, typ: schemas.TypeReferralAccepted, data: map[string]any{"planned_delay_days": 1 + r.IntN(60)}},
		message(r, from),
		{by: to, typ: schemas.TypeReferralStarted, data: map[string]any{}},
		{by: to, typ: schemas.TypeReferralCompleted, data: map[string]any{"outcome": "favourable"}},
		{by: from, typ: schemas.TypeReferralClosed, data: map[string]any{"useful": "yes"}},
	}
	return steps[:2+r.IntN(len(steps)-1)]
}

// monologue is a referral in which only its sender speaks.
func monologue(r *rand.Rand, from, to, service string) []step {
	steps := []step{made(r, from, to, service)}
	for range 1 + r.IntN(5) {
		steps = append(steps, message(r, from))
	}
	return append(steps, step{by: from, typ: schemas.TypeReferralCancelled, data: map[string]any{"reason": "person_asked"}})
}

func made(r *rand.Rand, from, to, service string) step {
	reference, err := schemas.NewReference(letters{r})
	if err != nil {
		panic(err) // letters never fails
	}
	return step{by: from, typ: schemas.TypeReferralMade, data: map[string]any{"from": from, "to": to, "service": service, "reference": reference}}
}

func message(r *rand.Rand, by string) step {
	text := make([]byte, 20+r.IntN(400))
	_, _ = letters{r}.Read(text)
	return step{by: by, typ: schemas.TypeMessagePosted, data: map[string]any{"audience": "all", "sealed": base64.StdEncoding.EncodeToString(text)}}
}

// provoke puts in what must be refused: what is not allowed yet, and the word of a
// stranger.
func (d *dossier) provoke(r *rand.Rand, stranger string) {
	// Before anything after which a referral may be reopened.
	at := 1 + r.IntN(min(3, len(d.steps)-1))
	var wrong step
	switch n := r.IntN(10); {
	case n == 0:
		wrong = step{by: d.steps[0].by, typ: schemas.TypeReferralReopened, data: map[string]any{}, reason: schemas.ReasonTransitionNotAllowed}
	case n == 1 && !d.topic:
		wrong = message(r, stranger)
		wrong.reason = schemas.ReasonNotAParty
	default:
		return
	}
	d.steps = append(d.steps[:at:at], append([]step{wrong}, d.steps[at:]...)...)
}

// event is the next event to be handed in.
func (d *dossier) event(run string) *Event {
	s := d.steps[d.next]
	e := &Event{
		ID: fmt.Sprintf("%s-%d-%d", run, d.number, d.next), Source: schemas.Source(s.by, "proof"), Type: s.typ, Subject: d.subject,
		By: s.by, Topic: d.topic, Data: s.data, Reason: string(s.reason), Dossier: d.number, Step: d.next,
	}
	switch {
	case s.reason == "":
		e.Parties = []string{d.sender, d.recipient}
	case s.by != d.steps[0].by: // a stranger is always an operator
		e.Parties = []string{s.by}
	default:
		e.Parties = []string{d.sender}
	}
	d.next++
	return e
}

// ended says that nothing is to come.
func (d *dossier) ended() bool { return d.next == len(d.steps) }

// awaits says who has to have the last event on its Kafka topic before the next is
// handed in; "" for nobody.
func (d *dossier) awaits() string {
	if !d.topic || d.ended() || d.next == 0 || d.steps[d.next].by == d.steps[d.next-1].by {
		return ""
	}
	if last := d.steps[d.next-1]; last.reason != "" {
		return last.by // a refusal goes to nobody else
	}
	return d.steps[d.next].by
}

// letters reads random letters.
type letters struct{ *rand.Rand }

func (l letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte('a' + l.IntN(26))
	}
	return len(p), nil
}
