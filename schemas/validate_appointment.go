package schemas

import "strings"

// appointmentEvent checks an event of an appointment; false for any other
// payload.
func (c *checker) appointmentEvent(payload any) bool {
	switch p := payload.(type) {
	case *AppointmentBooked:
		c.appointmentBooked(p)
	case *AppointmentRescheduled:
		c.time("old_starts", p.OldStarts)
		c.time("new_starts", p.NewStarts)
		c.after("new_ends", p.NewEnds, "new_starts", p.NewStarts)
	case *AppointmentReminderDue:
		c.clock(p.Clock, p.StartedBy, p.Due)
	case *AppointmentCancelled:
		c.code("by", TableCancelledBy, p.By)
		c.optCode("reason", TableCancellationReason, p.Reason)
	case *AppointmentAttended, *AppointmentMissed:
	case *AppointmentUnreported:
		c.clock(p.Clock, p.StartedBy, p.Due)
	default:
		return false
	}
	return true
}

func (c *checker) appointmentBooked(p *AppointmentBooked) {
	c.id("office", p.Office)
	c.id("operator", p.Operator)
	c.code("mode", TableMode, p.Mode)
	c.time("starts", p.Starts)
	if p.Service != nil {
		c.service("service", *p.Service)
	}
	c.optCaseID("referral", p.Referral)
	c.optText("unit", p.Unit)
	c.optID("kiosk", p.Kiosk)
	c.after("ends", p.Ends, "starts", p.Starts)
	if p.TimeZone != nil && !zoneShaped(*p.TimeZone) {
		c.faultIn("time_zone", *p.TimeZone, "it is not a time zone such as Europe/Paris")
	}
	c.optText("motive", p.Motive)
	c.optText("external_reference", p.ExternalReference)
}

// zoneShaped takes what can be the name of a time zone, such as Indian/Reunion.
// Whether there is one is not looked up: that would read a file per event.
func zoneShaped(s string) bool {
	if len(s) > 64 || strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") || strings.Contains(s, "//") {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', digit(c), c == '/', c == '_', c == '-', c == '+':
		default:
			return false
		}
	}
	return s != "" && !digit(s[0])
}
