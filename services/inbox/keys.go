package inbox

import (
	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
)

// The keys of a partition of the projection. An office's id has no colon.
//
//	goal                     end of the partition when its building began
//	o:<office>               desk.Office
//	d:<office>:<dossier>     desk.Dossier
//	t:<office>:<dossier>     list of desk.Entry, the timeline
//	l:<office>:<list>        cases by the time of their last event (agenda: start)
//	r:<office>               hash of references to case ids
//	v:<office>:<day>         hash of case ids to visits
//	e:<office>               list of desk.Notice
//	s:<office>               list of desk.Outcome
//	n:<office>               list of desk.Refusal
const goalKey = "goal"

func officeKey(office string) string                { return "o:" + office }
func dossierKey(office, dossier string) string      { return "d:" + office + ":" + dossier }
func timelineKey(office, dossier string) string     { return "t:" + office + ":" + dossier }
func listKey(office string, l desk.List) string     { return "l:" + office + ":" + string(l) }
func referencesKey(office string) string            { return "r:" + office }
func visitsKey(office string, d schemas.Day) string { return "v:" + office + ":" + d.String() }
func noticesKey(office string) string               { return "e:" + office }
func outcomesKey(office string) string              { return "s:" + office }
func refusalsKey(office string) string              { return "n:" + office }
