package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/directory"
)

// partiesKnown wants every participant, office and service that the data names to
// be in the directory, and those of them that hand in to be the sender.
func (h *hearing) partiesKnown(context.Context) error {
	if h.sender.Role == directory.RoleOffice {
		h.territory = h.sender.Territory
	}
	switch p := h.payload.(type) {
	case *schemas.ReferralMade:
		return h.referralParties(p)
	case *schemas.ReferralRerouted:
		_, err := h.named("competent", p.Competent, directory.RoleOffice, directory.RoleOperator)
		return err
	case *schemas.ReferralRefused:
		return h.service("alternative_service", p.AlternativeService, "")
	case *schemas.AppointmentBooked:
		return h.appointmentParties(p)
	case *schemas.VisitRecorded:
		return h.visitParties(p.Office, p.Day, p.Operators, p.Services)
	case *schemas.VisitCorrected:
		return h.visitParties(p.Office, p.Day, p.Operators, p.Services)
	}
	return nil
}

func (h *hearing) referralParties(p *schemas.ReferralMade) error {
	from, err := h.named("from", p.From, directory.RoleOffice, directory.RoleOperator)
	if err != nil {
		return err
	}
	to, err := h.named("to", p.To, directory.RoleOffice, directory.RoleOperator)
	if err != nil {
		return err
	}
	// A child referral is handed in by its parent's recipient for the parent's
	// sender; whether it is that one is for the ledger to see.
	if p.Parent == nil && p.From != h.sender.ID {
		return refuse(schemas.ReasonNotYourParticipant, "from: not the sender of the event")
	}
	if err := h.open("from", from, h.event.Time); err != nil {
		return err
	}
	if err := h.open("to", to, h.event.Time); err != nil {
		return err
	}
	h.recipientRole = to.Role
	if from.Role == directory.RoleOffice {
		h.territory = from.Territory
	} else if to.Role == directory.RoleOffice {
		h.territory = to.Territory
	}
	competent := ""
	if to.Role == directory.RoleOperator {
		competent = to.ID
	}
	return h.service("service", &p.Service, competent)
}

func (h *hearing) appointmentParties(p *schemas.AppointmentBooked) error {
	office, err := h.named("office", p.Office, directory.RoleOffice)
	if err != nil {
		return err
	}
	operator, err := h.named("operator", p.Operator, directory.RoleOperator)
	if err != nil {
		return err
	}
	if h.sender.ID != office.ID && h.sender.ID != operator.ID {
		return refuse(schemas.ReasonNotYourParticipant, "office, operator: neither is the sender of the event")
	}
	if err := h.open("office", office, h.event.Time); err != nil {
		return err
	}
	if err := h.open("operator", operator, h.event.Time); err != nil {
		return err
	}
	h.territory = office.Territory
	return h.service("service", p.Service, operator.ID)
}

func (h *hearing) visitParties(office string, day schemas.Day, operators, services []string) error {
	if office != h.sender.ID {
		return refuse(schemas.ReasonNotYourParticipant, "office: not the sender of the event")
	}
	// A visit is often typed weeks later, and stands on the day it was made.
	if err := h.open("office", h.sender, day.Time()); err != nil {
		return err
	}
	for i, id := range operators {
		if _, err := h.named("operators", id, directory.RoleOperator); err != nil {
			return atItem(err, i)
		}
	}
	for i := range services {
		if err := h.service("services", &services[i], ""); err != nil {
			return atItem(err, i)
		}
	}
	return nil
}

// atItem says which item of a list was refused.
func atItem(err error, i int) error {
	var refusal *schemas.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	field, why, _ := strings.Cut(refusal.Detail, ":")
	return refuse(refusal.Reason, "%s[%d]:%s", field, i, why)
}

// named looks up a participant whom a field names, in one of the roles.
func (h *hearing) named(field, id string, roles ...directory.Role) (directory.Participant, error) {
	p, ok := h.dir.Participant(id)
	if !ok {
		return p, refuse(schemas.ReasonUnknownParticipant, "%s: not in the directory", field)
	}
	if slices.Contains(roles, p.Role) {
		return p, nil
	}
	return p, refuse(schemas.ReasonUnknownParticipant, "%s: not one who can take this part", field)
}

// open wants a participant to have been there when it happened. What already
// runs goes on after a closing: only what opens a case is held to it, and what
// is handed in as history is not.
func (h *hearing) open(field string, p directory.Participant, happened time.Time) error {
	if !p.Closed() || !h.entry.Opens || h.history {
		return nil
	}
	if happened.IsZero() {
		happened = h.now
	}
	closed, err := time.Parse(time.DateOnly, p.ClosedOn)
	if err == nil && happened.Before(closed) {
		return nil
	}
	return refuse(schemas.ReasonUnknownParticipant, "%s: closed since %s", field, p.ClosedOn)
}

// service wants a service to be in the directory and, where competent is given
// and the directory says who is, that participant to be competent for it.
func (h *hearing) service(field string, code *string, competent string) error {
	if code == nil {
		return nil
	}
	s, ok := h.dir.Service(*code)
	switch {
	case !ok:
		return refuse(schemas.ReasonUnknownService, "%s: not in the directory", field)
	case competent != "" && len(s.Operators) > 0 && !s.OfferedBy(competent):
		return refuse(schemas.ReasonUnknownService, "%s: not one of this participant's", field)
	}
	return nil
}
