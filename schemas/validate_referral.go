package schemas

import "time"

// referralEvent checks an event of a referral; false for any other payload.
func (c *checker) referralEvent(payload any) bool {
	switch p := payload.(type) {
	case *ReferralMade:
		c.referralMade(p)
	case *ReferralReceived:
		c.optText("own_reference", p.OwnReference)
		c.optText("unit", p.Unit)
	case *ReviewStarted:
		c.optText("unit", p.Unit)
	case *InformationRequested:
		c.informationRequested(p)
	case *InformationProvided:
		c.each("answered", p.Answered, 1, MaxInformationItems, c.informationItem)
		c.sealed(p.Sealed)
		c.attachments(p.Attachments)
	case *ReferralAccepted:
		c.optBetween("planned_delay_days", p.PlannedDelayDays, 0, MaxPlannedDelayDays)
	case *ReferralStarted:
	case *ReferralCompleted:
		c.code("outcome", TableReferralOutcome, p.Outcome)
		c.sealed(p.Sealed)
	case *ReferralRefused:
		c.referralRefused(p)
	case *ReferralRerouted:
		c.referralRerouted(p)
	case *ReferralCancelled:
		c.code("reason", TableCancellationReason, p.Reason)
	case *ReferralWithdrawn:
		c.optCaseID("mandate", p.Mandate)
	case *ReferralExpired:
		c.clock(p.Clock, p.StartedBy, p.Due)
	case *ReferralClosed:
		c.optCode("useful", TableUseful, p.Useful)
		c.optClock(p.Clock, p.StartedBy, p.Due)
	case *ReferralReopened:
		c.optCode("reason", TableReopeningReason, p.Reason)
		c.sealed(p.Sealed)
		c.optClock(p.Clock, p.StartedBy, p.Due)
	case *MessagePosted:
		c.messagePosted(p)
	case *DeadlineApproaching:
		c.deadline(p.Clock, p.StartedBy, p.Due, p.Occurrence, p.Told)
	case *DeadlineBreached:
		c.deadline(p.Clock, p.StartedBy, p.Due, p.Occurrence, p.Told)
	case *EscalationRaised:
		c.deadline(p.Clock, p.StartedBy, p.Due, p.Occurrence, p.Told)
	default:
		return false
	}
	return true
}

func (c *checker) referralMade(p *ReferralMade) {
	c.id("from", p.From)
	c.id("to", p.To)
	if p.From == p.To {
		c.fault("to", "it is the sender itself")
	}
	c.service("service", p.Service)
	if !ValidReference(p.Reference) {
		c.faultIn("reference", p.Reference, "it is not a reference such as 7K3F-92QD, of the characters "+ReferenceAlphabet)
	}
	if p.Theme != nil {
		c.theme("theme", *p.Theme)
	}
	c.optCode("reason", TableReferralReason, p.Reason)
	c.optCode("urgency", TableUrgency, p.Urgency)
	c.optCode("help_level", TableHelpLevel, p.HelpLevel)
	c.optCode("contact_preference", TableContactPreference, p.ContactPreference)
	c.optCaseID("visit", p.Visit)
	c.optCaseID("journey", p.Journey)
	c.optCaseID("parent", p.Parent)
	c.sealed(p.Sealed)
	c.attachments(p.Attachments)
}

func (c *checker) attachments(list []Attachment) {
	c.length("attachments", len(list), 0, MaxAttachments)
	if c.refusal != nil {
		return
	}
	for i, a := range list {
		c.at("attachments", i)
		c.text("reference", a.Reference, MaxStringBytes)
		if !mediaType(a.MediaType) {
			c.faultIn("media_type", a.MediaType, "it is not a media type such as application/pdf")
		}
		c.between("size_bytes", a.SizeBytes, 0, MaxAttachmentBytes)
		if len(a.SHA256) != 64 || !lowerHex(a.SHA256) {
			c.faultIn("sha256", a.SHA256, "it is not a SHA-256 of 64 hexadecimal digits in lower case")
		}
	}
	c.at("", 0)
}

// mediaType takes type/subtype without parameters.
func mediaType(s string) bool {
	slashes := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', digit(c), c == '.', c == '+', c == '-', c == '_':
		case c == '/' && i > 0 && i < len(s)-1:
			slashes++
		default:
			return false
		}
	}
	return slashes == 1 && len(s) <= 127
}

func lowerHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if !digit(s[i]) && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}

func (c *checker) informationRequested(p *InformationRequested) {
	c.length("items", len(p.Items), 1, MaxInformationItems)
	if c.refusal != nil {
		return
	}
	for i, item := range p.Items {
		c.at("items", i)
		c.code("code", TableInformationItem, item.Code)
		for _, earlier := range p.Items[:i] {
			if earlier == item {
				c.fault("code", "it is there twice")
			}
		}
	}
	c.at("", 0)
	c.optDay("due", p.Due)
	c.sealed(p.Sealed)
}

func (c *checker) informationItem(field, value string) {
	c.code(field, TableInformationItem, value)
}

func (c *checker) referralRefused(p *ReferralRefused) {
	c.code("reason", TableRefusalReason, p.Reason)
	c.optCode("remedy", TableRemedy, p.Remedy)
	if p.AlternativeService != nil {
		c.service("alternative_service", *p.AlternativeService)
	}
	c.sealed(p.Sealed)
	if p.Reason == "other" && len(p.Sealed) == 0 {
		c.fault("sealed", `the reason "other" needs a comment here`)
	}
}

func (c *checker) referralRerouted(p *ReferralRerouted) {
	c.id("competent", p.Competent)
	c.caseID("child", p.Child)
	if p.Child == Dossier(p.Child) {
		c.fault("child", "it is not a further case of the dossier, <dossier>~<own string>")
	}
	c.optDay("received", p.Received)
}

func (c *checker) messagePosted(p *MessagePosted) {
	c.code("audience", TableAudience, p.Audience)
	if len(p.Sealed) == 0 {
		c.fault("sealed", "it is empty")
	}
	c.sealed(p.Sealed)
}

// clock checks what the hub says of a clock.
func (c *checker) clock(clock, startedBy string, due time.Time) {
	c.code("clock", TableClock, clock)
	c.place("started_by", startedBy)
	c.time("due", due)
}

// optClock checks the same where a participant may act too: all of it is there,
// or nothing.
func (c *checker) optClock(clock, startedBy *string, due *time.Time) {
	switch {
	case clock == nil && startedBy == nil && due == nil:
	case clock == nil || startedBy == nil || due == nil:
		c.fault("clock", "clock, started_by and due go together")
	default:
		c.clock(*clock, *startedBy, *due)
	}
}

func (c *checker) deadline(clock, startedBy string, due time.Time, occurrence int, told []string) {
	c.clock(clock, startedBy, due)
	c.between("occurrence", int64(occurrence), 1, 1000)
	c.each("told", told, 0, MaxTold, c.id)
}
