package schemas

import "strings"

// Reason is the stable code of a refusal by the hub, one of RefusalReasons.
type Reason string

// The reasons for which the hub refuses a submission. RateExceeded and NotReady
// exist at the HTTP door only: there nothing was submitted yet.
const (
	ReasonUnknownSchema           Reason = "unknown_schema"
	ReasonMalformed               Reason = "malformed"
	ReasonTooLarge                Reason = "too_large"
	ReasonNotYourParticipant      Reason = "not_your_participant"
	ReasonUnknownParticipant      Reason = "unknown_participant"
	ReasonUnknownService          Reason = "unknown_service"
	ReasonTransitionNotAllowed    Reason = "transition_not_allowed"
	ReasonNotAParty               Reason = "not_a_party"
	ReasonDuplicateIDOtherContent Reason = "duplicate_id_other_content"
	ReasonMandateNotValid         Reason = "mandate_not_valid"
	ReasonPersonalDataInClear     Reason = "personal_data_in_clear"
	ReasonAgreementMissing        Reason = "agreement_missing"
	ReasonNotYetDue               Reason = "not_yet_due"
	ReasonHubError                Reason = "hub_error"
	ReasonRateExceeded            Reason = "rate_exceeded"
	ReasonNotReady                Reason = "not_ready"
)

// Code is the reason's sentence and what to do, in French and English; the zero
// Code when r is not one of RefusalReasons.
func (r Reason) Code() Code {
	c, _ := LookupCode(TableHubRefusalReason, string(r))
	return c
}

// Refusal says why something from outside is not accepted. It is made for whom
// it concerns: Detail names the field, code or state at fault and never repeats
// content, which may be personal.
type Refusal struct {
	Reason Reason
	// Detail is one line of English, at most MaxSentenceBytes long.
	Detail string
}

// Error is the reason and the detail.
func (r *Refusal) Error() string {
	if r.Detail == "" {
		return string(r.Reason)
	}
	return string(r.Reason) + ": " + r.Detail
}

// refuse is a Refusal whose detail keeps to its bound and to valid UTF-8.
func refuse(reason Reason, detail string) *Refusal {
	if len(detail) > MaxSentenceBytes {
		detail = detail[:MaxSentenceBytes]
	}
	return &Refusal{Reason: reason, Detail: strings.ToValidUTF8(detail, "")}
}
