package gateway

import (
	"context"
	"crypto/sha256"
	"strings"

	"github.com/google/uuid"

	"github.com/relais-fr/relais/schemas"
)

// subjectOwn wants a case id. An event that opens a case may leave it out, or
// must name it with a UUID or under its sender's own id: another's prefix is
// refused.
func (h *hearing) subjectOwn(context.Context) error {
	if h.event.Subject == "" {
		if !h.entry.Opens {
			return refuse(schemas.ReasonMalformed, "subject: required, the id of the case that %s is about", h.entry.Name)
		}
		h.event.Subject = derivedSubject(h.event.Source, h.event.ID)
	}
	id, err := schemas.ParseCaseID(h.event.Subject)
	if err != nil {
		return refuse(schemas.ReasonMalformed, "subject: a UUID or <participant>.<own>, for a further case <dossier>~<own>")
	}
	if err := impersonal("subject", h.event.Subject); err != nil {
		return err
	}
	// Whether a party of the dossier opens a further case in it is for the
	// ledger to see.
	if h.entry.Opens && id.Own == "" && id.Owner != "" && id.Owner != h.sender.ID {
		return refuse(schemas.ReasonNotYourParticipant, "subject: a new case begins with your own id and a dot, or is a UUID")
	}
	h.dossier = id.Dossier
	return nil
}

// keyAgrees wants a record key, and a `partitionkey` from outside, to be the
// dossier. A record without a key may stand anywhere in its topic, so it is taken
// only if it opens a case.
func (h *hearing) keyAgrees(context.Context) error {
	if key, ok := h.event.Extensions[schemas.AttrPartitionKey]; ok && key != h.dossier {
		return refuse(schemas.ReasonMalformed, "partitionkey: not the dossier, which is the subject up to '~'")
	}
	if h.channel != channelKafka {
		return nil
	}
	switch {
	case len(h.key) == 0 && !h.entry.Opens:
		return refuse(schemas.ReasonMalformed, "record key: required for %s, the subject up to '~'", h.entry.Name)
	case len(h.key) > 0 && string(h.key) != h.dossier:
		return refuse(schemas.ReasonMalformed, "record key: not the dossier, which is the subject up to '~'")
	}
	return nil
}

// derivedSubject is the case id of an opening event that has none: a UUIDv8 of
// source and id, so that the same event handed in again names the same case.
func derivedSubject(source, id string) string {
	sum := sha256.Sum256([]byte(source + "\x00" + id))
	u := uuid.UUID(sum[:16])
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

// traceParentBytes is the length of a traceparent of version 00.
const traceParentBytes = 55

// attributesKnown checks the attributes that a sender may set and drops every
// other: those that are the hub's own, and those that nobody knows.
func (h *hearing) attributesKnown(context.Context) error {
	h.kept = make(map[string]string, len(h.event.Extensions)+stamps)
	for name, value := range h.event.Extensions {
		keep, err := h.attribute(name, value)
		if err != nil {
			return err
		}
		if keep {
			h.kept[name] = value
		} else if name != schemas.AttrPartitionKey && name != schemas.AttrHistory {
			h.ignored = append(h.ignored, name)
		}
	}
	return nil
}

// attribute says whether one attribute goes on.
func (h *hearing) attribute(name, value string) (keep bool, err error) {
	switch name {
	case schemas.AttrPriority:
		return true, inTable(name, schemas.TablePriority, value)
	case schemas.AttrLegalBasis:
		return true, inTable(name, schemas.TableLegalBasis, value)
	case schemas.AttrCorrelationID, schemas.AttrMandate:
		if !schemas.ValidID(value) {
			return false, refuse(schemas.ReasonMalformed, "%s: 1 to 128 of letters, digits, '.', '_' and '-'", name)
		}
		return true, impersonal(name, value)
	case schemas.AttrTraceParent:
		// A broken trace is the tracer's trouble, not the event's.
		return validTraceParent(value), nil
	case schemas.AttrHistory:
		return h.mayBeHistory(value)
	}
	return false, nil
}

// mayBeHistory wants records of the past to come from a feeder.
func (h *hearing) mayBeHistory(value string) (keep bool, err error) {
	switch {
	case value == "false":
		return false, nil
	case value != "true":
		return false, refuse(schemas.ReasonMalformed, "history: true or false")
	case h.by.Role != schemas.RoleFeeder:
		return false, refuse(schemas.ReasonNotYourParticipant, "history: only a feeder hands in records of the past")
	}
	h.history = true
	return true, nil
}

func inTable(name, table, value string) error {
	if _, ok := schemas.LookupCode(table, value); !ok {
		return refuse(schemas.ReasonMalformed, "%s: not a code of the table %s", name, table)
	}
	return nil
}

// validTraceParent says whether s is a W3C trace context of version 00.
func validTraceParent(s string) bool {
	if len(s) != traceParentBytes || !strings.HasPrefix(s, "00-") || s[35] != '-' || s[52] != '-' {
		return false
	}
	for _, part := range []string{s[3:35], s[36:52], s[53:]} {
		for i := range len(part) {
			if c := part[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
