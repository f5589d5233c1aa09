package inbox

import (
	"strings"

	"github.com/relais-fr/relais/schemas"
)

// formNames are fields of events that a form calls otherwise.
var formNames = map[string]string{"sealed": "text", "new_starts": "starts", "new_ends": "ends", "to": "service", "service": "operator"}

// faults puts a refusal at the question of the form that it is about, for the
// page to say it there; nil when it is about none. The refusal names a field of
// the event, such as `data.themes[3]: …`.
func (a *action) faults(reason schemas.Reason, detail string) map[string]string {
	path, _, ok := strings.Cut(detail, ":")
	if !ok {
		return nil
	}
	name := strings.TrimPrefix(path, "data.")
	if end := strings.IndexAny(name, "[."); end >= 0 {
		name = name[:end]
	}
	if !a.asks(name) {
		name = formNames[name]
	}
	if !a.asks(name) {
		return nil
	}
	switch reason {
	case schemas.ReasonMalformed:
		return map[string]string{name: "field_wrong"}
	case schemas.ReasonPersonalDataInClear:
		return map[string]string{name: "field_personal"}
	case schemas.ReasonUnknownService, schemas.ReasonUnknownParticipant:
		return map[string]string{name: "field_unknown"}
	default:
		return nil
	}
}

// asks says whether the action's form has the question.
func (a *action) asks(name string) bool {
	for _, q := range a.fields {
		if q.name == name {
			return true
		}
	}
	return false
}
