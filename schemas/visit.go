package schemas

// VisitRecorded says that an office helped somebody. It carries no personal
// data at all: bands and codes only. An absent field is unknown, never a guess.
type VisitRecorded struct {
	Office    string   `avro:"office" json:"office"`
	Day       Day      `avro:"day" json:"day"`
	HalfDay   string   `avro:"half_day" json:"half_day"`
	Channel   string   `avro:"channel" json:"channel"`
	Operators []string `avro:"operators" json:"operators"`
	Services  []string `avro:"services" json:"services"`

	// Themes are one to three codes, or none where unknown.
	Themes []string `avro:"themes" json:"themes,omitempty"`
	// GroupSize is the number of people at a collective session; absent for an
	// individual visit.
	GroupSize *int    `avro:"group_size" json:"group_size,omitempty"`
	HelpLevel *string `avro:"help_level" json:"help_level,omitempty"`
	Outcome   *string `avro:"outcome" json:"outcome,omitempty"`
	Duration  *string `avro:"duration" json:"duration,omitempty"`
	Age       *string `avro:"age" json:"age,omitempty"`
	Situation *string `avro:"situation" json:"situation,omitempty"`
	// Residence is a department, an EPCI, or a commune of at least 2,000
	// inhabitants.
	Residence    *string `avro:"residence" json:"residence,omitempty"`
	FirstContact *bool   `avro:"first_contact" json:"first_contact,omitempty"`
	// Satisfaction is from 1 (not at all) to 5 (entirely).
	Satisfaction *int `avro:"satisfaction" json:"satisfaction,omitempty"`
}

// VisitCorrected carries the whole record again, as it should have been.
type VisitCorrected struct {
	Office    string   `avro:"office" json:"office"`
	Day       Day      `avro:"day" json:"day"`
	HalfDay   string   `avro:"half_day" json:"half_day"`
	Channel   string   `avro:"channel" json:"channel"`
	Operators []string `avro:"operators" json:"operators"`
	Services  []string `avro:"services" json:"services"`

	Themes       []string `avro:"themes" json:"themes,omitempty"`
	GroupSize    *int     `avro:"group_size" json:"group_size,omitempty"`
	HelpLevel    *string  `avro:"help_level" json:"help_level,omitempty"`
	Outcome      *string  `avro:"outcome" json:"outcome,omitempty"`
	Duration     *string  `avro:"duration" json:"duration,omitempty"`
	Age          *string  `avro:"age" json:"age,omitempty"`
	Situation    *string  `avro:"situation" json:"situation,omitempty"`
	Residence    *string  `avro:"residence" json:"residence,omitempty"`
	FirstContact *bool    `avro:"first_contact" json:"first_contact,omitempty"`
	Satisfaction *int     `avro:"satisfaction" json:"satisfaction,omitempty"`
}

// VisitVoided takes a record back.
type VisitVoided struct {
	Reason string `avro:"reason" json:"reason"`
}
