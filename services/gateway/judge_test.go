package gateway

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/problem"
)

// attempt is one event that somebody tries to hand in, by both doors.
type attempt struct {
	name string
	// by is whose token and whose topic; an office's topic is that of all offices.
	by   string
	wire wire
	// key is the record key; the subject's dossier when empty, "-" for none.
	key  string
	want schemas.Reason
	// quarantined is set where nothing names the event, so that the ledger could
	// not record a refusal.
	quarantined bool
}

const unread = "" // no reason: the attempt succeeds

func attempts() []attempt {
	soon := time.Now().Add(23 * time.Hour).UTC().Format(time.RFC3339)
	late := time.Now().Add(25 * time.Hour).UTC().Format(time.RFC3339)
	return []attempt{
		{name: "a referral by an office", by: "fs-1", wire: referral(), want: unread},
		{name: "a visit by an office", by: "fs-1", wire: visit(), want: unread},
		{name: "an answer by an operator", by: "cnaf", wire: answered(), want: unread},
		{name: "an answer to a case that another opened under its own id", by: "cnaf", wire: answered(attr("subject", "fs-1.77")), want: unread},
		{name: "a feeder for an office", by: "feeder", wire: visit(attr("source", "/participants/fs-2/feeder"), replace("fs-1", "fs-2")), want: unread},
		{name: "a feeder's record of the past", by: "feeder", wire: visit(attr("source", "/participants/fs-1/feeder"), attr("history", "true")), want: unread},
		{name: "no subject on an event that opens a case", by: "fs-1", wire: referral(attr("subject", "")), key: "-", want: unread},
		{name: "no source on an office's own event", by: "cnaf", wire: answered(attr("source", "")), want: unread},
		{name: "no source by a feeder", by: "feeder", wire: visit(attr("source", "")), want: schemas.ReasonMalformed},
		{name: "no time", by: "fs-1", wire: referral(attr("time", "")), want: unread},
		{name: "a time tomorrow", by: "fs-1", wire: referral(attr("time", soon)), want: unread},
		{name: "no record key on an event that opens a case", by: "fs-1", wire: referral(), key: "-", want: unread},
		{name: "a partitionkey that is the dossier", by: "fs-1", wire: referral(attr("partitionkey", caseA)), want: unread},
		{name: "all attributes that a sender may set", by: "fs-1", wire: referral(attr("priority", "urgent"), attr("legalbasis", "mandate"), attr("mandate", caseB), attr("correlationid", "journey-1")), want: unread},
		{name: "a child referral for the parent's sender", by: "dgfip", wire: referral(attr("source", "/participants/dgfip/http"), attr("subject", caseA+"~child"), replace(`"from"`, `"parent":"`+caseA+`","from"`)), want: unread},

		{name: "an id with a blank", by: "fs-1", wire: referral(attr("id", "a b")), want: schemas.ReasonMalformed, quarantined: true},
		{name: "no id", by: "fs-1", wire: referral(attr("id", "")), want: schemas.ReasonMalformed, quarantined: true},
		{name: "an id that is a telephone number", by: "fs-1", wire: referral(attr("id", "06.12.34.56.78")), want: schemas.ReasonPersonalDataInClear, quarantined: true},
		{name: "another version of CloudEvents", by: "fs-1", wire: referral(attr("specversion", "0.3")), want: schemas.ReasonMalformed},
		{name: "a source that is no participant's", by: "fs-1", wire: referral(attr("source", "https://example.org")), want: schemas.ReasonMalformed},
		{name: "an event in another operator's name", by: "dgfip", wire: answered(), want: schemas.ReasonNotYourParticipant},
		{name: "an event in the name of somebody who is not there", by: "dgfip", wire: answered(attr("source", "/participants/nobody/http")), want: schemas.ReasonNotYourParticipant},
		{name: "an event in the hub's name", by: "cnaf", wire: answered(attr("source", "/participants/hub/clock")), want: schemas.ReasonNotYourParticipant},
		{name: "an operator in an office's name", by: "cnaf", wire: referral(), want: schemas.ReasonNotYourParticipant},
		{name: "a feeder for an office that it was not given", by: "small-feeder", wire: visit(attr("source", "/participants/fs-1/small-feeder")), want: schemas.ReasonNotYourParticipant},
		{name: "a feeder for an operator", by: "feeder", wire: answered(attr("source", "/participants/cnaf/feeder")), want: schemas.ReasonNotYourParticipant},
		{name: "a feeder under another system's name", by: "feeder", wire: visit(attr("source", "/participants/fs-1/page")), want: schemas.ReasonNotYourParticipant},
		{name: "an office under a feeder's name", by: "fs-1", wire: visit(attr("source", "/participants/fs-1/feeder")), want: schemas.ReasonNotYourParticipant},
		{name: "a feeder for itself", by: "feeder", wire: visit(attr("source", "/participants/feeder/feeder"), replace("fs-1", "feeder")), want: schemas.ReasonNotYourParticipant},
		{name: "a type that nobody knows", by: "fs-1", wire: referral(attr("type", "fr.relais.referral.v1.ReferralShredded")), want: schemas.ReasonUnknownSchema},
		{name: "an event of the hub's own", by: "fs-1", wire: referral(attr("type", schemas.TypeReferralExpired)), want: schemas.ReasonNotYourParticipant},
		{name: "a refusal of the ledger's", by: "cnaf", wire: answered(attr("type", schemas.TypeSubmissionRefused)), want: schemas.ReasonNotYourParticipant},
		{name: "a visit by an operator", by: "cnaf", wire: visit(attr("source", "/participants/cnaf/http"), replace("fs-1", "cnaf")), want: schemas.ReasonNotYourParticipant},
		{name: "no subject on an event of a running case", by: "cnaf", wire: answered(attr("subject", "")), key: caseA, want: schemas.ReasonMalformed},
		{name: "a subject that is no case id", by: "fs-1", wire: referral(attr("subject", "my case")), key: "my case", want: schemas.ReasonMalformed},
		{name: "a subject that is an e-mail address", by: "fs-1", wire: referral(attr("subject", "jean@example.org")), key: "-", want: schemas.ReasonMalformed},
		{name: "a new case under another's id", by: "fs-1", wire: referral(attr("subject", "cnaf.1")), want: schemas.ReasonNotYourParticipant},
		{name: "a time before 2000", by: "fs-1", wire: referral(attr("time", "1999-12-31T23:59:59Z")), want: schemas.ReasonMalformed},
		{name: "a time the day after tomorrow", by: "fs-1", wire: referral(attr("time", late)), want: schemas.ReasonMalformed},
		{name: "a time that is none", by: "fs-1", wire: referral(attr("time", "yesterday")), want: schemas.ReasonMalformed},
		{name: "a partitionkey that is another dossier", by: "fs-1", wire: referral(attr("partitionkey", caseB)), want: schemas.ReasonMalformed},
		{name: "a priority that is no code", by: "fs-1", wire: referral(attr("priority", "immediately")), want: schemas.ReasonMalformed},
		{name: "a legal basis that is no code", by: "fs-1", wire: referral(attr("legalbasis", "because")), want: schemas.ReasonMalformed},
		{name: "a mandate that is a sentence", by: "fs-1", wire: referral(attr("mandate", "signed by hand")), want: schemas.ReasonMalformed},
		{name: "a record of the past by an office", by: "fs-1", wire: visit(attr("history", "true")), want: schemas.ReasonNotYourParticipant},
		{name: "a history that is neither true nor false", by: "feeder", wire: visit(attr("source", "/participants/fs-1/feeder"), attr("history", "maybe")), want: schemas.ReasonMalformed},
		{name: "a field that the type has not", by: "fs-1", wire: referral(replace(`{"from"`, `{"name":"Jean","from"`)), want: schemas.ReasonMalformed},
		{name: "a field of the wrong type", by: "fs-1", wire: referral(replace(`"fs-1"`, `563`)), want: schemas.ReasonMalformed},
		{name: "a field that is missing", by: "fs-1", wire: referral(replace(`"reference":"7K3F-92QD"`, `"theme":"housing"`)), want: schemas.ReasonMalformed},
		{name: "a code that is in no table", by: "fs-1", wire: visit(replace("phone", "telepathy")), want: schemas.ReasonMalformed},
		{name: "personal data in clear", by: "cnaf", wire: answered(attr("type", schemas.TypeReviewStarted), data(`{"unit":"jean.dupont@example.org"}`)), want: schemas.ReasonPersonalDataInClear},
		{name: "no data where the type has fields", by: "fs-1", wire: referral(data("")), want: schemas.ReasonMalformed},
		{name: "data nested too deep", by: "fs-1", wire: referral(data(strings.Repeat(`{"from":`, 40) + "1" + strings.Repeat("}", 40))), want: schemas.ReasonMalformed},
		{name: "data larger than an event's", by: "fs-1", wire: referral(data(`{"from":"` + strings.Repeat("x", schemas.MaxDataBytes) + `"}`)), want: schemas.ReasonTooLarge},
		{name: "a recipient who is not there", by: "fs-1", wire: referral(replace("cnaf", "caf")), want: schemas.ReasonUnknownParticipant},
		{name: "a recipient who treats no cases", by: "fs-1", wire: referral(replace("cnaf", "feeder")), want: schemas.ReasonUnknownParticipant},
		{name: "a service that is not there", by: "fs-1", wire: referral(replace("logement/apl", "logement/chateau")), want: schemas.ReasonUnknownService},
		{name: "a service of another operator", by: "fs-1", wire: referral(replace("logement/apl", "impots/avis")), want: schemas.ReasonUnknownService},
		{name: "a referral from another office", by: "fs-1", wire: referral(replace(`"from":"fs-1"`, `"from":"fs-2"`)), want: schemas.ReasonNotYourParticipant},
		{name: "a referral to an office that has closed", by: "cnaf", wire: referral(attr("source", "/participants/cnaf/http"), replace(`"from":"fs-1","to":"cnaf"`, `"from":"cnaf","to":"fs-3"`)), want: schemas.ReasonUnknownParticipant},
		{name: "a visit at another office", by: "fs-1", wire: visit(replace("fs-1", "fs-2")), want: schemas.ReasonNotYourParticipant},
		{name: "a visit about an operator who is not there", by: "fs-1", wire: visit(replace("cnaf", "caf")), want: schemas.ReasonUnknownParticipant},
		{name: "a visit about a service that is not there", by: "fs-1", wire: visit(replace("logement/apl", "logement/chateau")), want: schemas.ReasonUnknownService},
		{name: "an appointment of two others", by: "dgfip", wire: referral(attr("source", "/participants/dgfip/http"), attr("type", schemas.TypeAppointmentBooked), data(`{"office":"fs-1","operator":"cnaf","mode":"phone","starts":"2000-02-01T09:00:00Z"}`)), want: schemas.ReasonNotYourParticipant},
		{name: "an appointment at an office that is not there", by: "cnaf", wire: referral(attr("source", "/participants/cnaf/http"), attr("type", schemas.TypeAppointmentBooked), data(`{"office":"fs-9","operator":"cnaf","mode":"phone","starts":"2000-02-01T09:00:00Z"}`)), want: schemas.ReasonUnknownParticipant},
		{name: "a rerouting to somebody who is not there", by: "cnaf", wire: answered(attr("type", schemas.TypeReferralRerouted), data(`{"competent":"caf","child":"`+caseA+`~2"}`)), want: schemas.ReasonUnknownParticipant},
		{name: "a refusal that names a service that is not there", by: "cnaf", wire: answered(attr("type", schemas.TypeReferralRefused), data(`{"reason":"not_competent","alternative_service":"logement/chateau"}`)), want: schemas.ReasonUnknownService},
		{name: "an attribute that is not UTF-8", by: "fs-1", wire: referral(attr("correlationid", "\xff\xfe")), want: schemas.ReasonMalformed},
		{name: "an attribute beyond all bounds", by: "fs-1", wire: referral(attr("correlationid", strings.Repeat("x", schemas.MaxHeaderBytes+1))), want: schemas.ReasonTooLarge},
	}
}

// topic is where the attempt's participant writes.
func (a attempt) topic() string {
	if strings.HasPrefix(a.by, "fs-") {
		return "from.offices"
	}
	return "from." + a.by
}

func (a attempt) recordKey() []byte {
	switch a.key {
	case "":
		return []byte(schemas.Dossier(a.wire.attrs["subject"]))
	case "-":
		return nil
	}
	return []byte(a.key)
}

func TestOneSetOfRulesBehindEveryDoor(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		for i, a := range attempts() {
			// Both doors get it under an id of its own.
			rename := func(w wire, door string) wire {
				if w.attrs["id"] == "ev-1" {
					return w.with(attr("id", "ev-"+door+"-"+string(rune('a'+i/26))+string(rune('a'+i%26))))
				}
				return w
			}
			wantStatus := http.StatusAccepted
			if a.want != unread {
				wantStatus = problem.Status(a.want)
			}

			structured := rename(a.wire, "structured")
			w := h.post("dev-"+a.by, schemas.StructuredContentType, structured.structured())
			if got, code := w.Code, decoded(t, w)["code"]; got != wantStatus || a.want != unread && code != string(a.want) {
				// What is not UTF-8 has no JSON that says so: Go writes U+FFFD.
				if a.name != "an attribute that is not UTF-8" {
					t.Errorf("%s: POST structured = %d %s, want %q", a.name, got, w.Body, a.want)
				}
			}
			binary := rename(a.wire, "binary")
			w = h.post("dev-"+a.by, schemas.JSONContentType, binary.data, binary.httpHeaders()...)
			if got, code := w.Code, decoded(t, w)["code"]; got != wantStatus || a.want != unread && code != string(a.want) {
				t.Errorf("%s: POST binary = %d %s, want %q", a.name, got, w.Body, a.want)
			}

			record := rename(a.wire, "record")
			before := len(h.read(h.quarantine))
			h.produce(a.topic(), broker.Record{Key: a.recordKey(), Headers: record.headers(schemas.JSONContentType), Value: []byte(record.data)})
			id := record.attrs["id"]
			if a.quarantined {
				h.wait(func() bool { return len(h.read(h.quarantine)) == before+1 })
				all := h.read(h.quarantine)
				if q, ok := readQuarantined(&all[before]); !ok || q.Reason != string(a.want) {
					t.Errorf("%s: quarantined for %q, want %q", a.name, q.Reason, a.want)
				}
				continue
			}
			var e schemas.Event
			h.wait(func() (ok bool) { e, ok = h.submission(id); return ok })
			if got := e.Extensions[schemas.AttrVerdict]; got != string(a.want) {
				t.Errorf("%s: the topic's verdict is %q (%s), want %q", a.name, got, e.Extensions[schemas.AttrVerdictDetail], a.want)
			}
		}
		checkCanonical(t, h)
	})
}

// checkCanonical holds every accepted submission against what the ledger needs:
// data that decodes, stamps that are there, nobody else's dossier.
func checkCanonical(t *testing.T, h *hub) {
	t.Helper()
	for _, e := range h.submissions() {
		for _, name := range []string{schemas.AttrPartitionKey, schemas.AttrReceivedTime, schemas.AttrRules, schemas.AttrSubmitter} {
			if e.Extensions[name] == "" {
				t.Errorf("submission %s has no %s", e.ID, name)
			}
		}
		if e.Extensions[schemas.AttrVerdict] != "" {
			continue
		}
		if _, err := h.codec.Decode(t.Context(), e.Type, e.Data); err != nil {
			t.Errorf("submission %s: %v", e.ID, err)
		}
	}
}

func TestOnTopicsOnlyKeysMatterToo(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		cases := []struct {
			name string
			a    attempt
		}{
			{"a key that is another dossier", attempt{by: "fs-1", wire: referral(), key: caseB, want: schemas.ReasonMalformed}},
			{"no key on an event of a running case", attempt{by: "cnaf", wire: answered(), key: "-", want: schemas.ReasonMalformed}},
			{"the subject of a further case as key", attempt{by: "cnaf", wire: answered(attr("subject", caseA+"~2")), key: caseA + "~2", want: schemas.ReasonMalformed}},
			{"the dossier as key of a further case", attempt{by: "cnaf", wire: answered(attr("subject", caseA+"~2")), key: caseA, want: unread}},
		}
		for i, c := range cases {
			id := "key-" + string(rune('a'+i))
			rec := c.a.wire.with(attr("id", id)).record("")
			rec.Key = c.a.recordKey()
			h.produce(c.a.topic(), rec)
			var e schemas.Event
			h.wait(func() (ok bool) { e, ok = h.submission(id); return ok })
			if got := e.Extensions[schemas.AttrVerdict]; got != string(c.a.want) {
				t.Errorf("%s: %q (%s), want %q", c.name, got, e.Extensions[schemas.AttrVerdictDetail], c.a.want)
			}
		}
	})
}

func TestARefusalNeverStandsInSomebodyElsesDossier(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		h.produce("from.dgfip", answered(attr("id", "forged")).record(caseA))
		h.produce("from.offices", referral(attr("id", "prefix"), attr("subject", "cnaf.1")).record("cnaf.1"))
		for _, id := range []string{"forged", "prefix"} {
			var e schemas.Event
			h.wait(func() (ok bool) { e, ok = h.submission(id); return ok })
			if e.Subject == caseA || strings.HasPrefix(e.Subject, "cnaf.") {
				t.Errorf("the refusal of %s stands in %s", id, e.Subject)
			}
			if len(e.Data) != 0 {
				t.Errorf("the refusal of %s carries data", id)
			}
		}
		e, _ := h.submission("forged")
		if got := e.Extensions[schemas.AttrSubmitter]; got != "dgfip" {
			t.Errorf("the refusal goes to %q, want dgfip, whose topic it was", got)
		}
	})
}

func TestAttributesOfTheHubsOwnAreDroppedAndNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hub) {
		forged := referral()
		for _, name := range []string{
			schemas.AttrReceivedTime, schemas.AttrRules, schemas.AttrTerritory, schemas.AttrSenderRole, schemas.AttrRecipientRole, schemas.AttrSubmitter,
			schemas.AttrVerdict, schemas.AttrVerdictDetail, schemas.AttrSequence, schemas.AttrSubmittedPartition, schemas.AttrSubmittedOffset,
			schemas.AttrParties, schemas.AttrLate, schemas.AttrRecipient, schemas.AttrDoor, "favouritecolour",
		} {
			forged = forged.with(attr(name, "7"))
		}
		w := h.post("dev-fs-1", schemas.StructuredContentType, forged.structured())
		if w.Code != http.StatusAccepted {
			t.Fatalf("POST = %d %s", w.Code, w.Body)
		}
		var ignored []string
		for _, name := range decoded(t, w)["ignored"].([]any) {
			ignored = append(ignored, name.(string))
		}
		want := []string{"door", "favouritecolour", "late", "parties", "receivedtime", "recipient", "recipientrole", "rules", "senderrole", "sequence", "submittedoffset", "submittedpartition", "submitter", "territory", "verdict", "verdictdetail"}
		if diff := cmp.Diff(want, ignored); diff != "" {
			t.Errorf("ignored (-want +got):\n%s", diff)
		}
		e, _ := h.submission("ev-1")
		for name, value := range e.Extensions {
			if value == "7" {
				t.Errorf("%s came through", name)
			}
		}
	})
}
