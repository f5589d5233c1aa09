package inbox

import (
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
)

// action is something that a counsellor can do with a form: which event it hands
// in, what the form asks, and what is made of the answers.
type action struct {
	// name is what the form calls it; title and button are keys of texts. Without
	// one of its own, the button says the title.
	name, title, button string
	event               string
	// payload makes the event of the answers, and of what the form hides: of the
	// desk it takes nothing that the event itself may change, or a double click
	// would be two events.
	payload func(in *input) any
	// opens says that it opens a case, in a dossier of its own or, where on is
	// true too, in that of the case that it is done on.
	opens, on bool
	fields    []field
}

// field is one question of a form. Its label is a key of texts, and so are hint,
// which is said below it, and wrong, which is said of an answer that cannot be
// taken; both may be missing.
type field struct {
	name, label string
	kind        fieldKind
	table       string
	required    bool
	hint, wrong string
	// least and most bound a number.
	least, most int
}

type fieldKind string

// The kinds of field, as the template names them.
const (
	askLine      fieldKind = "line"
	askText      fieldKind = "area"
	askNumber    fieldKind = "number"
	askDay       fieldKind = "day"
	askMoment    fieldKind = "moment"
	askChoice    fieldKind = "choice"
	askChoices   fieldKind = "choices"
	askYesNo     fieldKind = "yesno"
	askRecipient fieldKind = "recipient"  // an operator with one of its services
	askProvider  fieldKind = "provider"   // an operator, perhaps with one of its services
	askOperator  fieldKind = "operator"   // one operator
	askOperators fieldKind = "operators"  // any number of them
	askService   fieldKind = "service"    // one service
	askServices  fieldKind = "services"   // any number of them
	askTheme     fieldKind = "theme"      // of the two tables of themes
	askThemes    fieldKind = "themes"     // up to three
	askCompetent fieldKind = "competence" // a service of the participant whom the parent named
)

var (
	freeText = field{name: "text", label: "f_text", kind: askText, hint: "hint_text", wrong: "text_wrong"}
	needText = field{name: "text", label: "f_text", kind: askText, required: true, hint: "hint_text", wrong: "text_wrong"}
	unit     = field{name: "unit", label: "f_unit", kind: askLine, hint: "hint_no_name"}
	starts   = field{name: "starts", label: "f_starts", kind: askMoment, required: true, hint: "hint_clock"}
	ends     = field{name: "ends", label: "f_ends", kind: askMoment, wrong: "ends_wrong"}
)

func code(name, label, table string) field {
	return field{name: name, label: label, kind: askChoice, table: table}
}

func needCode(name, label, table string) field {
	return field{name: name, label: label, kind: askChoice, table: table, required: true}
}

// actions are all of them, in the order in which a page offers them.
func actions() []*action {
	var all []*action
	all = append(all, openings()...)
	all = append(all, answers()...)
	all = append(all, appointmentActions()...)
	return append(all, endings()...)
}

// Names of actions that pages link to.
const (
	actReferral    = "referral"
	actVisit       = "visit"
	actAppointment = "appointment"
	actBook        = "book"
	actChild       = "child"
	actCorrect     = "correct"
	actVoid        = "void"
)

func openings() []*action {
	return []*action{
		{
			name: actReferral, title: "new_referral", button: "send", event: schemas.TypeReferralMade, opens: true,
			fields: []field{
				{name: "service", label: "f_service", kind: askRecipient, required: true},
				code("reason", "f_reason", schemas.TableReferralReason),
				code("urgency", "f_urgency", schemas.TableUrgency),
				freeText,
				code("contact_preference", "f_contact", schemas.TableContactPreference),
				{name: "theme", label: "f_theme", kind: askTheme},
				code("help_level", "f_help_level", schemas.TableHelpLevel),
			},
			payload: func(in *input) any {
				to, service := in.recipient()
				return &schemas.ReferralMade{
					From: in.office.ID, To: to, Service: service, Reference: in.Get("reference"),
					Reason: in.may("reason"), Theme: in.may("theme"), Urgency: in.may("urgency"), HelpLevel: in.may("help_level"),
					ContactPreference: in.may("contact_preference"), Visit: in.may("visit"), Sealed: in.sealed(),
				}
			},
		},
		{
			name: actVisit, title: "new_visit", button: "record", event: schemas.TypeVisitRecorded, opens: true, fields: visitFields(),
			payload: func(in *input) any { return visitOf(in) },
		},
		{
			name: actCorrect, title: "correct_visit", button: "record", event: schemas.TypeVisitCorrected, fields: visitFields(),
			payload: func(in *input) any { return (*schemas.VisitCorrected)(visitOf(in)) },
		},
		{
			name: actVoid, title: "void_visit", event: schemas.TypeVisitVoided,
			fields:  []field{needCode("reason", "f_reason", schemas.TableVoidReason)},
			payload: func(in *input) any { return &schemas.VisitVoided{Reason: in.must("reason")} },
		},
		{
			name: actAppointment, title: "new_appointment", button: "record", event: schemas.TypeAppointmentBooked, opens: true,
			// The operator is chosen together with its service: the hub refuses one
			// that is another's.
			fields: append([]field{{name: "operator", label: "f_provider", kind: askProvider, required: true}}, bookingFields()...),
			payload: func(in *input) any {
				p := booking(in)
				operator, service, _ := strings.Cut(in.must("operator"), " ")
				p.Office, p.Operator = in.office.ID, operator
				if service != "" {
					p.Service = &service
				}
				return p
			},
		},
	}
}

func visitFields() []field {
	return []field{
		{name: "day", label: "f_day", kind: askDay, required: true},
		needCode("half_day", "f_half_day", schemas.TableHalfDay),
		needCode("channel", "f_channel", schemas.TableChannel),
		{name: "themes", label: "f_themes", kind: askThemes, wrong: "themes_wrong"},
		{name: "operators", label: "f_operators", kind: askOperators},
		{name: "services", label: "f_services", kind: askServices},
		code("help_level", "f_help_level", schemas.TableHelpLevel),
		code("outcome", "f_outcome", schemas.TableVisitOutcome),
		code("duration", "f_duration", schemas.TableDurationBand),
		code("age", "f_age", schemas.TableAgeBand),
		code("situation", "f_situation", schemas.TableSituation),
		{name: "first_contact", label: "f_first", kind: askYesNo},
		{name: "residence", label: "f_residence", kind: askLine, hint: "hint_residence", wrong: "residence_wrong"},
		{name: "group_size", label: "f_group", kind: askNumber, least: 2, most: schemas.MaxGroupSize, hint: "hint_group"},
		{name: "satisfaction", label: "f_satisfaction", kind: askNumber, least: 1, most: 5},
	}
}

func visitOf(in *input) *schemas.VisitRecorded {
	p := &schemas.VisitRecorded{
		Office: in.office.ID, HalfDay: in.must("half_day"), Channel: in.must("channel"),
		Operators: in.many("operators"), Services: in.many("services"), Themes: in.many("themes"),
		GroupSize: in.number("group_size"), HelpLevel: in.may("help_level"), Outcome: in.may("outcome"), Duration: in.may("duration"),
		Age: in.may("age"), Situation: in.may("situation"), Residence: in.may("residence"), FirstContact: in.yesno("first_contact"),
		Satisfaction: in.number("satisfaction"),
	}
	if d := in.day("day"); d != nil {
		p.Day = *d
	} else if in.problems["day"] == "" {
		in.wrong("day", "field_missing")
	}
	return p
}

// answers are what carries a referral on, step by step: the recipient's, and the
// sender's replies.
func answers() []*action {
	return []*action{
		{
			name: "receive", title: "do_receive", event: schemas.TypeReferralReceived,
			fields: []field{{name: "own_reference", label: "f_own_reference", kind: askLine}, unit},
			payload: func(in *input) any {
				return &schemas.ReferralReceived{OwnReference: in.may("own_reference"), Unit: in.may("unit")}
			},
		},
		{
			name: "review", title: "do_review", event: schemas.TypeReviewStarted, fields: []field{unit},
			payload: func(in *input) any { return &schemas.ReviewStarted{Unit: in.may("unit")} },
		},
		{
			name: "accept", title: "do_accept", event: schemas.TypeReferralAccepted,
			fields: []field{{name: "planned_delay_days", label: "f_delay", kind: askNumber, most: schemas.MaxPlannedDelayDays}},
			payload: func(in *input) any {
				return &schemas.ReferralAccepted{PlannedDelayDays: in.number("planned_delay_days")}
			},
		},
		{
			name: "start", title: "do_start", event: schemas.TypeReferralStarted,
			payload: func(*input) any { return &schemas.ReferralStarted{} },
		},
		{
			name: "ask", title: "do_ask", event: schemas.TypeInformationRequested,
			fields: []field{
				{name: "items", label: "f_items", kind: askChoices, table: schemas.TableInformationItem, required: true},
				{name: "due", label: "f_due", kind: askDay},
				freeText,
			},
			payload: func(in *input) any {
				p := &schemas.InformationRequested{Due: in.day("due"), Sealed: in.sealed()}
				for _, c := range in.many("items") {
					p.Items = append(p.Items, schemas.InformationItem{Code: c})
				}
				if len(p.Items) == 0 {
					in.wrong("items", "field_missing")
				}
				return p
			},
		},
		{
			name: "provide", title: "do_provide", event: schemas.TypeInformationProvided,
			fields: []field{{name: "answered", label: "f_answered", kind: askChoices, table: schemas.TableInformationItem, required: true}, freeText},
			payload: func(in *input) any {
				p := &schemas.InformationProvided{Answered: in.many("answered"), Sealed: in.sealed()}
				if len(p.Answered) == 0 {
					in.wrong("answered", "field_missing")
				}
				return p
			},
		},
		{
			name: "complete", title: "do_complete", event: schemas.TypeReferralCompleted,
			fields: []field{
				needCode("outcome", "f_outcome", schemas.TableReferralOutcome),
				{name: "standard_procedure_existed", label: "f_standard", kind: askYesNo},
				freeText,
			},
			payload: func(in *input) any {
				return &schemas.ReferralCompleted{
					Outcome: in.must("outcome"), StandardProcedureExisted: in.yesno("standard_procedure_existed"), Sealed: in.sealed(),
				}
			},
		},
		{
			name: "close", title: "do_close", event: schemas.TypeReferralClosed,
			fields:  []field{code("useful", "f_useful", schemas.TableUseful)},
			payload: func(in *input) any { return &schemas.ReferralClosed{Useful: in.may("useful")} },
		},
		{
			name: actChild, title: "do_child", event: schemas.TypeReferralMade, opens: true, on: true,
			fields: []field{
				{name: "service", label: "service", kind: askCompetent, required: true},
				code("reason", "f_reason", schemas.TableReferralReason), freeText,
			},
			payload: childOf,
		},
	}
}

// endings are what is always at hand, what ends a referral, and what takes it up
// again.
func endings() []*action {
	return []*action{
		{
			name: "message", title: "do_message", button: "send", event: schemas.TypeMessagePosted, fields: []field{needText},
			payload: func(in *input) any { return &schemas.MessagePosted{Audience: "all", Sealed: in.mustSealed()} },
		},
		{
			name: "reroute", title: "do_reroute", event: schemas.TypeReferralRerouted,
			fields: []field{
				{name: "competent", label: "f_competent", kind: askOperator, required: true},
				{name: "received", label: "f_received", kind: askDay},
			},
			payload: func(in *input) any {
				return &schemas.ReferralRerouted{Competent: in.must("competent"), Child: in.must("child"), Received: in.day("received")}
			},
		},
		{
			name: "refuse", title: "do_refuse", event: schemas.TypeReferralRefused,
			fields: []field{
				needCode("reason", "f_reason", schemas.TableRefusalReason),
				code("remedy", "f_remedy", schemas.TableRemedy),
				{name: "alternative_service", label: "f_alternative", kind: askService},
				freeText,
			},
			payload: func(in *input) any {
				p := &schemas.ReferralRefused{Reason: in.must("reason"), Remedy: in.may("remedy"), AlternativeService: in.may("alternative_service"), Sealed: in.sealed()}
				if p.Reason == "other" {
					p.Sealed = in.mustSealed()
				}
				return p
			},
		},
		{
			name: "cancel", title: "do_cancel", event: schemas.TypeReferralCancelled,
			fields:  []field{needCode("reason", "f_reason", schemas.TableCancellationReason)},
			payload: func(in *input) any { return &schemas.ReferralCancelled{Reason: in.must("reason")} },
		},
		{
			name: "reopen", title: "do_reopen", event: schemas.TypeReferralReopened,
			fields:  []field{code("reason", "f_reason", schemas.TableReopeningReason), freeText},
			payload: func(in *input) any { return &schemas.ReferralReopened{Reason: in.may("reason"), Sealed: in.sealed()} },
		},
	}
}

// childOf carries a rerouted referral on: for the parent's sender, to whom the
// parent named, under the id that it announced.
func childOf(in *input) any {
	p := &schemas.ReferralMade{Reference: in.Get("reference"), Service: in.must("service"), Reason: in.may("reason"), Sealed: in.sealed()}
	if in.of != nil {
		p.From, p.To, p.Parent = in.of.From, in.of.Competent, new(in.of.ID)
		if in.of.Theme != "" {
			p.Theme = new(in.of.Theme)
		}
		if in.of.Urgency != "" {
			p.Urgency = new(in.of.Urgency)
		}
	}
	return p
}

func bookingFields() []field {
	return []field{
		starts,
		ends,
		needCode("mode", "f_mode", schemas.TableMode),
		unit,
		{name: "motive", label: "f_motive", kind: askLine, hint: "hint_no_name"},
		{name: "external_reference", label: "f_external", kind: askLine},
	}
}

func booking(in *input) *schemas.AppointmentBooked {
	p := &schemas.AppointmentBooked{
		Mode: in.must("mode"), Starts: in.mustMoment("starts"), Ends: in.moment("ends"), Unit: in.may("unit"),
		Motive: in.may("motive"), ExternalReference: in.may("external_reference"),
	}
	if in.office.TimeZone != "" {
		p.TimeZone = new(in.office.TimeZone)
	}
	if p.Ends != nil && !p.Ends.After(p.Starts) {
		in.wrong("ends", "field_wrong")
	}
	return p
}

func appointmentActions() []*action {
	return []*action{
		{
			name: actBook, title: "do_book", event: schemas.TypeAppointmentBooked, opens: true, on: true, fields: bookingFields(),
			payload: func(in *input) any {
				p := booking(in)
				if in.of != nil {
					p.Office, p.Operator = partiesOf(in.of, in.office.ID)
					p.Referral = new(in.of.ID)
					if in.of.Service != "" {
						p.Service = new(in.of.Service)
					}
				}
				return p
			},
		},
		{
			name: "attended", title: "do_attended", event: schemas.TypeAppointmentAttended,
			payload: func(*input) any { return &schemas.AppointmentAttended{} },
		},
		{
			name: "missed", title: "do_missed", event: schemas.TypeAppointmentMissed,
			payload: func(*input) any { return &schemas.AppointmentMissed{} },
		},
		{
			name: "reschedule", title: "do_reschedule", event: schemas.TypeAppointmentRescheduled,
			fields: []field{starts, ends},
			payload: func(in *input) any {
				p := &schemas.AppointmentRescheduled{NewStarts: in.mustMoment("starts"), NewEnds: in.moment("ends")}
				if ms := in.number("old_starts"); ms != nil {
					p.OldStarts = time.UnixMilli(int64(*ms)).UTC()
				}
				if p.NewEnds != nil && !p.NewEnds.After(p.NewStarts) {
					in.wrong("ends", "field_wrong")
				}
				return p
			},
		},
		{
			name: "cancel_appointment", title: "do_cancel_apt", event: schemas.TypeAppointmentCancelled,
			fields: []field{
				needCode("by", "f_by", schemas.TableCancelledBy),
				code("reason", "f_reason", schemas.TableCancellationReason),
			},
			payload: func(in *input) any { return &schemas.AppointmentCancelled{By: in.must("by"), Reason: in.may("reason")} },
		},
	}
}

// partiesOf are the office and the operator of an appointment in a referral's
// dossier: the office is the one whose page books it.
func partiesOf(c *desk.Case, office string) (at, with string) {
	if c.From == office {
		return office, c.To
	}
	return office, c.From
}
