package schemas

// visitEvent checks an event of a visit; false for any other payload.
func (c *checker) visitEvent(payload any) bool {
	switch p := payload.(type) {
	case *VisitRecorded:
		c.visit(p)
	case *VisitCorrected:
		c.visit((*VisitRecorded)(p))
	case *VisitVoided:
		c.code("reason", TableVoidReason, p.Reason)
	default:
		return false
	}
	return true
}

func (c *checker) visit(p *VisitRecorded) {
	c.id("office", p.Office)
	c.day("day", p.Day)
	c.code("half_day", TableHalfDay, p.HalfDay)
	c.code("channel", TableChannel, p.Channel)
	c.each("operators", p.Operators, 0, MaxOperators, c.id)
	c.each("services", p.Services, 0, MaxServices, c.service)
	c.each("themes", p.Themes, 0, MaxThemes, c.theme)
	c.optBetween("group_size", p.GroupSize, 2, MaxGroupSize)
	c.optCode("help_level", TableHelpLevel, p.HelpLevel)
	c.optCode("outcome", TableVisitOutcome, p.Outcome)
	c.optCode("duration", TableDurationBand, p.Duration)
	c.optCode("age", TableAgeBand, p.Age)
	c.optCode("situation", TableSituation, p.Situation)
	if p.Residence != nil && !residenceShaped(*p.Residence) {
		c.faultIn("residence", *p.Residence, "it is not the code of a department (56, 2A, 974), of an EPCI (9 digits) or of a commune (5 characters)")
	}
	c.optBetween("satisfaction", p.Satisfaction, 1, 5)
}

// residenceShaped takes what can be the official code of a department, an EPCI or
// a commune. The geographic code says which there are and how large they are.
func residenceShaped(s string) bool {
	for i := 0; i < len(s); i++ {
		if !digit(s[i]) && (i != 1 || s[0] != '2' || s[1] != 'A' && s[1] != 'B') {
			return false
		}
	}
	switch len(s) {
	case 2, 5:
		return s[:2] != "00" && s[:2] != "20"
	case 3:
		return s[:2] == "97" || s[:2] == "98"
	case 9:
		return digit(s[1])
	}
	return false
}
