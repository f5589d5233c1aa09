package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/uses"
)

// The ways by which an event comes in. They are labels of metrics and the system
// of a source that a sender left out.
const (
	channelHTTP  = "http"
	channelKafka = "kafka"
)

// claim is an event as a door read it, and who hands it in.
type claim struct {
	event   schemas.Event
	by      auth.Principal
	channel string
	// key is the record key of a claim that came by Kafka; nil if it had none.
	key []byte
	// record is where a claim that came by Kafka stands, and written when the broker
	// got it; zero for HTTP.
	record  schemas.Door
	written time.Time
}

// ruling is what an accepted claim becomes.
type ruling struct {
	// event is stamped, its data canonical: ready for `relais.submitted`.
	event schemas.Event
	entry schemas.Entry
	// ignored names the attributes that were dropped.
	ignored []string
}

// judge holds every rule of form. Both doors ask it, so that there is one set of
// rules. Safe for concurrent use.
type judge struct {
	directory *directory.View
	codec     *schemas.Codec
	// uses counts which schemas data was written with.
	uses *uses.Table
	// schemaURL is put before a schema's id to make `dataschema`.
	schemaURL string
	log       *slog.Logger
}

// notReadyError says that a claim cannot be judged now; it was not refused.
type notReadyError struct {
	// sentence may be shown to the caller.
	sentence string
	err      error
}

func (e *notReadyError) Error() string {
	if e.err == nil {
		return e.sentence
	}
	return e.sentence + ": " + e.err.Error()
}

func (e *notReadyError) Unwrap() error { return e.err }

// hearing is one claim on its way through the rules.
type hearing struct {
	*judge
	claim
	dir *directory.Snapshot
	now time.Time

	sender    directory.Participant
	entry     schemas.Entry
	dossier   string
	rules     string
	territory string
	// recipientRole is the role of a referral's recipient.
	recipientRole schemas.Role
	// kept are the sender's attributes that go on.
	kept    map[string]string
	ignored []string
	history bool
	payload any
}

// rules are what every event passes, in this order, whatever the door. The
// first that is broken is the reason.
var rules = [...]func(*hearing, context.Context) error{
	(*hearing).ready,
	(*hearing).identified,
	(*hearing).speaksForSource, (*hearing).wroteInTime,
	(*hearing).typeKnown,
	(*hearing).subjectOwn,
	(*hearing).keyAgrees,
	(*hearing).timeSane,
	(*hearing).attributesKnown,
	(*hearing).dataReadable,
	(*hearing).dataCanonical,
	(*hearing).partiesKnown,
}

// judge applies the rules. The error is a *schemas.Refusal, which is final; a
// *notReadyError, when the same claim may pass later; or ctx's. On a refusal the
// hearing tells how far it came.
func (j *judge) judge(ctx context.Context, c claim) (r ruling, h *hearing, err error) {
	h = &hearing{judge: j, claim: c, dir: j.directory.Snapshot(), now: time.Now().UTC().Truncate(time.Millisecond)}
	defer func() {
		if p := recover(); p != nil {
			j.logPanic(p)
			h.payload = nil
			r, err = ruling{}, refuse(schemas.ReasonHubError, "judging the event failed")
		}
	}()
	for _, rule := range rules {
		if err := rule(h, ctx); err != nil {
			return ruling{}, h, err
		}
	}
	return h.stamped(), h, nil
}

// logPanic writes where the hub failed, without the content that made it fail.
func (j *judge) logPanic(p any) {
	what := fmt.Sprintf("%T", p)
	var runtimeError runtime.Error
	if err, ok := p.(error); ok && errors.As(err, &runtimeError) {
		what = runtimeError.Error()
	}
	j.log.Error("judging panicked", "panic", what, "stack", string(debug.Stack()))
}

func refuse(reason schemas.Reason, format string, args ...any) *schemas.Refusal {
	detail := format
	if len(args) > 0 {
		detail = fmt.Sprintf(format, args...)
	}
	return &schemas.Refusal{Reason: reason, Detail: detail}
}

// ready refuses to judge before the directory's view has reached its topic's end
// and rules are in force.
func (h *hearing) ready(context.Context) error {
	if !h.directory.IsReady() {
		return &notReadyError{sentence: "The directory is still being read; try again in a moment."}
	}
	rules, _ := h.dir.Setting(directory.SettingRules)
	if _, err := strconv.Atoi(rules); err != nil {
		return &notReadyError{sentence: "No rules version is in force yet; try again in a moment."}
	}
	h.rules = rules
	return nil
}

// identified wants an id of the sender's own.
func (h *hearing) identified(context.Context) error {
	switch {
	case h.event.ID == "":
		return refuse(schemas.ReasonMalformed, "id: required")
	case !schemas.ValidID(h.event.ID):
		return refuse(schemas.ReasonMalformed, "id: 1 to 128 of letters, digits, '.', '_' and '-'")
	}
	return impersonal("id", h.event.ID)
}

// impersonal wants an attribute, which stands in clear for ever, to be no
// personal data.
func impersonal(name, value string) error {
	if what := schemas.PersonalData(value); what != "" {
		return refuse(schemas.ReasonPersonalDataInClear, "%s: looks like %s", name, what)
	}
	return nil
}

// speaksForSource wants a source for which the one who hands in may speak.
func (h *hearing) speaksForSource(context.Context) error {
	participant, system, err := schemas.ParseSource(h.event.Source)
	if err != nil {
		return refuse(schemas.ReasonMalformed, "source: /participants/<participant>/<system>")
	}
	if err := impersonal("source", system); err != nil {
		return err
	}
	sender, known := h.participant(participant)
	if !h.maySpeak(sender, known) {
		return refuse(schemas.ReasonNotYourParticipant, "source: another participant's")
	}
	switch owner, ok := h.dir.Participant(system); {
	case h.by.Role == schemas.RoleFeeder && system != h.by.ID:
		return refuse(schemas.ReasonNotYourParticipant, "source: a feeder's system is its own id: /participants/<office>/%s", h.by.ID)
	case h.by.Role != schemas.RoleFeeder && ok && owner.Role == schemas.RoleFeeder:
		return refuse(schemas.ReasonNotYourParticipant, "source: the system is the name of a feeder")
	}
	h.sender = sender
	return nil
}

// wroteInTime wants what came by a topic to have been written while the doors were
// open to its writer: rights at Kafka are taken a moment after the directory says so,
// and what was written in that moment is read. What was written before counts, however
// late it is read. HTTP asks at the door.
func (h *hearing) wroteInTime(context.Context) error {
	if h.channel != channelKafka {
		return nil
	}
	if by, ok := h.dir.Participant(h.by.ID); ok && by.SuspendedAt(h.written) {
		return refuse(schemas.ReasonNotYourParticipant, "written while %s was suspended, since %s", by.ID, by.SuspendedSince)
	}
	return nil
}

// participant looks up who an id is; the hub itself need not be in the directory.
func (h *hearing) participant(id string) (directory.Participant, bool) {
	if id == schemas.HubParticipant {
		return directory.Participant{ID: id, Role: directory.RoleHub}, true
	}
	return h.dir.Participant(id)
}

// maySpeak says whether the one who hands in may speak for the sender. What is
// not in the directory and what is another's get the same answer.
func (h *hearing) maySpeak(sender directory.Participant, known bool) bool {
	if !known {
		return false
	}
	if h.by.ID == schemas.OfficesParticipant && h.channel == channelKafka {
		return sender.Role == schemas.RoleOffice
	}
	return h.by.MaySpeakFor(sender.ID, sender.Role)
}

// typeKnown wants a type of the catalogue that the sender's role may send.
func (h *hearing) typeKnown(context.Context) error {
	if h.event.Type == "" {
		return refuse(schemas.ReasonMalformed, "type: required")
	}
	entry, ok := schemas.Lookup(h.event.Type)
	if !ok {
		return refuse(schemas.ReasonUnknownSchema, "type: not in the catalogue")
	}
	h.entry = entry
	if !maySend(entry, h.sender.Role) {
		return refuse(schemas.ReasonNotYourParticipant, "type: %s is not for your role to send", entry.Name)
	}
	return nil
}

// maySend says whether the catalogue lets a participant of that role send the
// event. Who is a case's sender or recipient only the ledger knows: any office
// and any operator may be. A feeder speaks for offices, never for itself.
func maySend(entry schemas.Entry, role schemas.Role) bool {
	for _, sender := range entry.Senders {
		switch sender {
		case schemas.RoleFeeder:
		case schemas.RoleSender, schemas.RoleRecipient:
			if role == schemas.RoleOffice || role == schemas.RoleOperator {
				return true
			}
		default:
			if role == sender {
				return true
			}
		}
	}
	return false
}

// The span in which an event may have happened.
const maxAhead = 24 * time.Hour

var earliest = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// timeSane wants a time between 2000 and tomorrow; it may be left out.
func (h *hearing) timeSane(context.Context) error {
	switch t := h.event.Time; {
	case t.IsZero():
		return nil
	case t.Before(earliest):
		return refuse(schemas.ReasonMalformed, "time: before 2000")
	case t.After(h.now.Add(maxAhead)):
		return refuse(schemas.ReasonMalformed, "time: more than a day ahead")
	}
	return nil
}

// unheard is the hearing of a claim that could not be read: what names it is all
// there is. The error is a *notReadyError.
func (j *judge) unheard(ctx context.Context, c claim) (*hearing, error) {
	h := &hearing{judge: j, claim: c, dir: j.directory.Snapshot(), now: time.Now().UTC().Truncate(time.Millisecond)}
	if err := h.ready(ctx); err != nil {
		return nil, err
	}
	if participant, _, err := schemas.ParseSource(c.event.Source); err == nil {
		if sender, known := h.participant(participant); h.maySpeak(sender, known) {
			h.sender = sender
		}
	}
	return h, nil
}
