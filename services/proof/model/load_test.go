package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

var offices = []string{"demo-1", "demo-2"}

// service is the one that all referrals are about.
const service = "logement/apl"

// submission is what a participant hands in, at a time.
type submission struct {
	at      time.Duration
	by      string // who
	door    string // the topic
	id      string
	source  string
	dossier string
	record  broker.Record
}

// key is what a client's own retry is recognised by.
func (s submission) key() string { return s.dossier + " " + s.source + " " + s.id }

// draws what participants hand in over a time: referrals as they go, with what
// people do besides: retries, ids used twice, strangers, and steps out of turn.
func drawLoad(r *rand.Rand, over time.Duration) []submission {
	var all []submission
	for d := range 2 + r.IntN(3) {
		dossier := fmt.Sprintf("0190b3c2-0000-7000-8000-%012d", d+1+10*r.IntN(1000))
		office, operator := offices[r.IntN(len(offices))], operators[r.IntN(len(operators))]
		at := time.Duration(r.Int64N(int64(over / 4)))
		early := r.IntN(4) == 0
		if early {
			// A stranger's try, before anything is known of the case: the id is his to
			// use again.
			all = append(all, hand(at, operator, "early", dossier, &schemas.ReferralReceived{}))
		}
		all = append(all, hand(at+time.Duration(r.Int64N(int64(over/10))), office, "made", dossier, &schemas.ReferralMade{From: office, To: operator, Service: service, Reference: "7K3F-92QD"}))
		atOnce := r.IntN(2) == 0 // as from an office that was offline
		for i := range 3 + r.IntN(6) {
			if !atOnce || r.IntN(3) == 0 {
				at += time.Duration(r.Int64N(int64(over / 6)))
			}
			by, id := operator, fmt.Sprintf("e%d", i)
			if r.IntN(3) == 0 {
				by = office
			}
			switch s := hand(at, by, id, dossier, step(r, by == office)); r.IntN(8) {
			case 0: // once more, as clients do that hear nothing
				all = append(all, s, again(s, at+time.Duration(r.Int64N(int64(over/6)))))
			case 1: // by somebody whom it does not concern
				all = append(all, hand(at, other(operator), id, dossier, &schemas.ReferralReceived{}))
			case 2: // an id that was used
				all = append(all, s, hand(at, by, id, dossier, &schemas.MessagePosted{Audience: "all", Sealed: []byte("another")}))
			default:
				all = append(all, s)
			}
		}
		if early {
			all = append(all, hand(at, operator, "early", dossier, &schemas.ReferralReceived{}))
		}
	}
	return all
}

func other(operator string) string {
	if operator == operators[0] {
		return operators[1]
	}
	return operators[0]
}

func step(r *rand.Rand, office bool) any {
	if office {
		return []any{
			&schemas.MessagePosted{Audience: "all", Sealed: []byte("…")}, &schemas.InformationProvided{Answered: []string{"identity_document"}},
			&schemas.ReferralCancelled{Reason: "person_asked"},
		}[r.IntN(3)]
	}
	return []any{
		&schemas.ReferralReceived{}, &schemas.ReviewStarted{}, &schemas.ReferralAccepted{}, &schemas.ReferralStarted{},
		&schemas.InformationRequested{Items: []schemas.InformationItem{{Code: "identity_document"}}},
		&schemas.MessagePosted{Audience: "all", Sealed: []byte("…")}, &schemas.ReferralRefused{Reason: "not_competent"},
		&schemas.ReferralReceived{}, &schemas.MessagePosted{Audience: "all", Sealed: bytes.Repeat([]byte("…"), 200)},
	}[r.IntN(9)]
}

// hand is a submission as a structured CloudEvent.
func hand(at time.Duration, by, id, dossier string, payload any) submission {
	s := submission{at: at, by: by, door: "relais.from." + by, id: id + "-" + by, source: schemas.Source(by, "model"), dossier: dossier}
	parts := 1
	if by == offices[0] || by == offices[1] {
		s.door, parts = "relais.from.offices", partitions
	}
	data, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	event, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": s.id, "source": s.source, "type": schemas.TypeOf(payload), "subject": dossier,
		"time": "2000-01-01T00:00:00Z", "data": json.RawMessage(data),
	})
	if err != nil {
		panic(err)
	}
	s.record = broker.Record{
		Topic: s.door, Partition: broker.PartitionOf([]byte(dossier), parts), Key: []byte(dossier), Value: event,
		Headers: []schemas.Header{{Key: "content-type", Value: []byte(schemas.StructuredContentType)}}, Time: time.Now(),
	}
	return s
}

// last are submissions of strangers, one to each partition, that change nothing: a
// ledger that has nothing to do does not look whether its store was emptied.
func last() []submission {
	var all []submission
	for p, n := 0, 0; p < partitions; n++ {
		dossier := fmt.Sprintf("0190b3c2-0000-7000-8000-%012d", 999_999_000_000+n)
		if broker.PartitionOf([]byte(dossier), partitions) == p {
			all = append(all, hand(stormLasts, operators[0], "last", dossier, &schemas.ReferralReceived{}))
			p++
		}
	}
	return all
}

func again(s submission, at time.Duration) submission {
	s.at = at
	return s
}
