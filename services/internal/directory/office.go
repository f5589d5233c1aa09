package directory

// Kind is the form in which an office receives people.
type Kind string

// The kinds of office.
const (
	KindFixed     Kind = "fixed"     // a house with an address
	KindItinerant Kind = "itinerant" // a bus, on tour from the address of its base
	KindMultisite Kind = "multisite" // several places, one row
	KindAntenna   Kind = "antenna"   // depends on a principal office
)

// Answer is a yes, a no, or not known. Unknown is never taken for a no.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// Office is a place where people are received: a France services house, a bus,
// an antenna. It carries no e-mail address and no name of a person. The slices
// and pointers it holds are shared and must not be written through.
type Office struct {
	ID string `json:"id"`
	// Matricule is the number in the official list; 0 for a provisional id
	// (`fs-temp_12`) and for a sample office.
	Matricule int    `json:"matricule,omitempty"`
	Name      string `json:"name"`
	Kind      Kind   `json:"kind"`
	Mobile    Answer `json:"mobile"`
	// FormatSource is the official list's own word for the kind.
	FormatSource string `json:"format_source,omitempty"`
	// Group is free text that links antennas to a principal office; no key.
	Group    string `json:"group,omitempty"`
	Address  string `json:"address,omitempty"`
	Address2 string `json:"address2,omitempty"`
	Postcode string `json:"postcode,omitempty"`
	// InseeCommune is the code of the commune in the official geographic code
	// (2A004, 97411), not a postcode; empty when not known.
	InseeCommune string `json:"insee_commune,omitempty"`
	Commune      string `json:"commune,omitempty"`
	Department   string `json:"department,omitempty"`
	// DepartmentName is what people type when they look for an office.
	DepartmentName string `json:"department_name,omitempty"`
	Region         string `json:"region,omitempty"`
	EPCI           string `json:"epci,omitempty"`
	// Lat and Lon are WGS84 degrees; nil when not known.
	Lat *float64 `json:"lat"`
	Lon *float64 `json:"lon"`
	// TimeZone is the IANA zone in which Hours are told.
	TimeZone    string `json:"timezone"`
	HolidayZone string `json:"holiday_zone"`
	// Phone is E.164.
	Phone string `json:"phone,omitempty"`
	// Hours is an OpenStreetMap opening_hours value; empty means not known, not
	// always closed.
	Hours         string `json:"hours,omitempty"`
	WeeklyMinutes int    `json:"weekly_minutes"`
	// ConditionalDays are the days (Mo … Sa) whose hours are told in words only,
	// in Note: every other week, by appointment, in season.
	ConditionalDays []string `json:"conditional_days,omitempty"`
	OnAppointment   Answer   `json:"on_appointment"`
	// LabelledOn is the day of its label, 2006-01-02; empty when not known.
	LabelledOn string `json:"labelled_on,omitempty"`
	// Note is the office's own comment, e-mail addresses masked.
	Note string `json:"note,omitempty"`
	// Services are codes of services; "*" is the whole national basket.
	Services []string `json:"services"`
	// Quirks names what was odd in the source and how it was read.
	Quirks []string `json:"quirks,omitempty"`

	// ValidFrom is the day since which the record reads as it does.
	ValidFrom string `json:"valid_from,omitempty"`
	// ClosedOn is the day on which the office was found gone from the official
	// list; empty while it is there. It stays in the directory, because past
	// events point to it.
	ClosedOn string `json:"closed_on,omitempty"`
}

// Closed says whether the office has gone from the official list.
func (o Office) Closed() bool { return o.ClosedOn != "" }

// Participant is the office as a participant.
func (o Office) Participant() Participant {
	return Participant{
		ID: o.ID, Name: o.Name, Role: RoleOffice,
		TimeZone: o.TimeZone, HolidayZone: o.HolidayZone, Territory: o.Department,
		ClosedOn: o.ClosedOn, ValidFrom: o.ValidFrom,
	}
}
