package gateway

import (
	"slices"

	"github.com/relais-fr/relais/schemas"
)

// stamps is how many attributes the gateway adds at most.
const stamps = 10

// receivedLayout is RFC 3339 with milliseconds, of one length so that it sorts.
const receivedLayout = "2006-01-02T15:04:05.000Z"

// stamped is the accepted claim with the gateway's own attributes.
func (h *hearing) stamped() ruling {
	e := h.event
	e.Extensions = h.kept
	h.stamp(e.Extensions)
	slices.Sort(h.ignored)
	return ruling{event: e, entry: h.entry, ignored: h.ignored}
}

// stamp writes what a decision may depend on, so that the ledger needs neither a
// clock nor a directory.
func (h *hearing) stamp(attrs map[string]string) {
	set := func(name, value string) {
		if value != "" {
			attrs[name] = value
		}
	}
	set(schemas.AttrPartitionKey, h.dossier)
	set(schemas.AttrReceivedTime, h.now.Format(receivedLayout))
	set(schemas.AttrRules, h.rules)
	set(schemas.AttrTerritory, h.territory)
	set(schemas.AttrSenderRole, string(h.sender.Role))
	set(schemas.AttrRecipientRole, string(h.recipientRole))
	set(schemas.AttrSubmitter, h.submitter())
	set(schemas.AttrDoor, h.record.String())
}

// submitter is who came through the door: refusals go there. The page hands in
// for every office on one topic, so there it is the office.
func (h *hearing) submitter() string {
	if h.by.ID == schemas.OfficesParticipant && h.sender.ID != "" {
		return h.sender.ID
	}
	return h.by.ID
}

// maxRefusedType bounds the type that a refusal repeats.
const maxRefusedType = schemas.MaxStringBytes

// refused is a claim from a topic that may not become a fact, in the form in
// which the ledger records its refusal: with the verdict stamped on it, and with
// as much of it as could be read. ok is false when nothing names the event, and
// no refusal could be told from another.
func (h *hearing) refused(verdict *schemas.Refusal) (e schemas.Event, ok bool) {
	if !schemas.ValidID(h.event.ID) || schemas.PersonalData(h.event.ID) != "" {
		return schemas.Event{}, false
	}
	e = schemas.Event{ID: h.event.ID, Source: h.event.Source, Type: h.event.Type, Time: h.event.Time}
	if _, system, err := schemas.ParseSource(e.Source); err != nil || schemas.PersonalData(system) != "" {
		e.Source = schemas.Source(h.by.ID, channelKafka)
	}
	if len(e.Type) > maxRefusedType || e.Type == "" {
		e.Type = "unknown"
	}
	if e.Time.Before(earliest) || e.Time.After(h.now.Add(maxAhead)) {
		e.Time = h.now
	}
	// A subject that did not pass, or was not reached, is not the sender's to
	// use: the refusal would stand in somebody else's dossier.
	if e.Subject = h.event.Subject; h.dossier == "" && !h.subjectUsable() {
		e.Subject = derivedSubject(e.Source, e.ID)
	}
	h.dossier = schemas.Dossier(e.Subject)
	if h.payload != nil && h.event.DataContentType == schemas.AvroContentType && verdict.Reason != schemas.ReasonTooLarge {
		e.Data, e.DataContentType, e.DataSchema = h.event.Data, schemas.AvroContentType, h.event.DataSchema
	}
	e.Extensions = make(map[string]string, stamps+1)
	if trace := h.event.Extensions[schemas.AttrTraceParent]; validTraceParent(trace) {
		e.Extensions[schemas.AttrTraceParent] = trace
	}
	h.stamp(e.Extensions)
	e.Extensions[schemas.AttrVerdict] = string(verdict.Reason)
	if verdict.Detail != "" {
		e.Extensions[schemas.AttrVerdictDetail] = verdict.Detail
	}
	return e, true
}

// subjectUsable says whether the subject of a claim that fell before the rule on
// subjects may stand on its refusal.
func (h *hearing) subjectUsable() bool {
	if h.sender.ID == "" || h.entry.Name != "" || schemas.PersonalData(h.event.Subject) != "" {
		return false
	}
	id, err := schemas.ParseCaseID(h.event.Subject)
	return err == nil && (id.Owner == "" || id.Owner == h.sender.ID)
}
