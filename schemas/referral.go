package schemas

import "time"

// ReferralMade opens a referral: an office (or an operator) hands a person's
// case over to the participant who can treat it.
type ReferralMade struct {
	From      string `avro:"from" json:"from"`
	To        string `avro:"to" json:"to"`
	Service   string `avro:"service" json:"service"`
	Reference string `avro:"reference" json:"reference"`

	Theme             *string `avro:"theme" json:"theme,omitempty"`
	Reason            *string `avro:"reason" json:"reason,omitempty"`
	Urgency           *string `avro:"urgency" json:"urgency,omitempty"`
	HelpLevel         *string `avro:"help_level" json:"help_level,omitempty"`
	ContactPreference *string `avro:"contact_preference" json:"contact_preference,omitempty"`
	Visit             *string `avro:"visit" json:"visit,omitempty"`
	Journey           *string `avro:"journey" json:"journey,omitempty"`
	// Parent is the rerouted referral that this one carries on, in the same
	// dossier; the parent's recipient hands the child in.
	Parent *string `avro:"parent" json:"parent,omitempty"`
	// Sealed is the one place of personal data and free text.
	Sealed      []byte       `avro:"sealed" json:"sealed,omitempty"`
	Attachments []Attachment `avro:"attachments" json:"attachments,omitempty"`
}

// Attachment is a reference to a document. Documents themselves never travel on
// the log.
type Attachment struct {
	Reference string `avro:"reference" json:"reference"`
	MediaType string `avro:"media_type" json:"media_type"`
	SizeBytes int64  `avro:"size_bytes" json:"size_bytes"`
	SHA256    string `avro:"sha256" json:"sha256"`
}

// ReferralReceived says that the recipient has the referral in its own system.
type ReferralReceived struct {
	OwnReference *string `avro:"own_reference" json:"own_reference,omitempty"`
	Unit         *string `avro:"unit" json:"unit,omitempty"`
}

// ReviewStarted says that somebody at the recipient's has begun to look at it.
type ReviewStarted struct {
	Unit *string `avro:"unit" json:"unit,omitempty"`
}

// InformationRequested asks the sender for what is missing; the referral's other
// clocks stand still until it is answered.
type InformationRequested struct {
	Items  []InformationItem `avro:"items" json:"items"`
	Due    *Day              `avro:"due" json:"due,omitempty"`
	Sealed []byte            `avro:"sealed" json:"sealed,omitempty"`
}

// InformationItem is one thing asked for. What a code cannot say stands in the
// event's Sealed.
type InformationItem struct {
	Code string `avro:"code" json:"code"`
}

// InformationProvided answers an InformationRequested.
type InformationProvided struct {
	Answered    []string     `avro:"answered" json:"answered"`
	Sealed      []byte       `avro:"sealed" json:"sealed,omitempty"`
	Attachments []Attachment `avro:"attachments" json:"attachments,omitempty"`
}

// ReferralAccepted says that the recipient will treat the case.
type ReferralAccepted struct {
	// PlannedDelayDays is the recipient's estimate until completion, in days.
	PlannedDelayDays *int `avro:"planned_delay_days" json:"planned_delay_days,omitempty"`
}

// ReferralStarted says that treatment has begun.
type ReferralStarted struct{}

// ReferralCompleted says how the recipient settled the case.
type ReferralCompleted struct {
	Outcome string `avro:"outcome" json:"outcome"`
	// StandardProcedureExisted is whether the person could have used the usual
	// procedure without a referral.
	StandardProcedureExisted *bool  `avro:"standard_procedure_existed" json:"standard_procedure_existed,omitempty"`
	Sealed                   []byte `avro:"sealed" json:"sealed,omitempty"`
}

// ReferralRefused says that the recipient will not treat the case, and why.
type ReferralRefused struct {
	Reason             string  `avro:"reason" json:"reason"`
	Remedy             *string `avro:"remedy" json:"remedy,omitempty"`
	AlternativeService *string `avro:"alternative_service" json:"alternative_service,omitempty"`
	Sealed             []byte  `avro:"sealed" json:"sealed,omitempty"`
}

// ReferralRerouted says that another participant is competent. The recipient
// then hands in the child referral under the id given here.
type ReferralRerouted struct {
	Competent string `avro:"competent" json:"competent"`
	Child     string `avro:"child" json:"child"`
	Received  *Day   `avro:"received" json:"received,omitempty"`
}

// ReferralCancelled takes the referral back.
type ReferralCancelled struct {
	Reason string `avro:"reason" json:"reason"`
}

// ReferralWithdrawn ends a referral whose mandate was revoked.
type ReferralWithdrawn struct {
	Mandate *string `avro:"mandate" json:"mandate,omitempty"`
}

// ReferralExpired ends a referral that nobody answered in time.
type ReferralExpired struct {
	Clock     string    `avro:"clock" json:"clock"`
	StartedBy string    `avro:"started_by" json:"started_by"`
	Due       time.Time `avro:"due" json:"due"`
}

// ReferralClosed closes a completed referral: by the sender, or by the clock
// after 30 days, when it carries which clock ran out.
type ReferralClosed struct {
	Useful    *string    `avro:"useful" json:"useful,omitempty"`
	Clock     *string    `avro:"clock" json:"clock,omitempty"`
	StartedBy *string    `avro:"started_by" json:"started_by,omitempty"`
	Due       *time.Time `avro:"due" json:"due,omitempty"`
}

// ReferralReopened takes an ended referral up again.
type ReferralReopened struct {
	Reason    *string    `avro:"reason" json:"reason,omitempty"`
	Sealed    []byte     `avro:"sealed" json:"sealed,omitempty"`
	Clock     *string    `avro:"clock" json:"clock,omitempty"`
	StartedBy *string    `avro:"started_by" json:"started_by,omitempty"`
	Due       *time.Time `avro:"due" json:"due,omitempty"`
}

// MessagePosted is a word between the parties that changes no state.
type MessagePosted struct {
	Audience string `avro:"audience" json:"audience"`
	Sealed   []byte `avro:"sealed" json:"sealed"`
}

// DeadlineApproaching warns that a clock is about to run out.
type DeadlineApproaching struct {
	Clock      string    `avro:"clock" json:"clock"`
	StartedBy  string    `avro:"started_by" json:"started_by"`
	Due        time.Time `avro:"due" json:"due"`
	Occurrence int       `avro:"occurrence" json:"occurrence"`
	Told       []string  `avro:"told" json:"told"`
}

// DeadlineBreached says that a clock has run out.
type DeadlineBreached struct {
	Clock      string    `avro:"clock" json:"clock"`
	StartedBy  string    `avro:"started_by" json:"started_by"`
	Due        time.Time `avro:"due" json:"due"`
	Occurrence int       `avro:"occurrence" json:"occurrence"`
	Told       []string  `avro:"told" json:"told"`
}

// EscalationRaised tells a higher level about a case that stands still.
type EscalationRaised struct {
	Clock      string    `avro:"clock" json:"clock"`
	StartedBy  string    `avro:"started_by" json:"started_by"`
	Due        time.Time `avro:"due" json:"due"`
	Occurrence int       `avro:"occurrence" json:"occurrence"`
	Told       []string  `avro:"told" json:"told"`
}
