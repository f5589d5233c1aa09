package schemas

import "time"

// AppointmentBooked fixes a meeting between a person and an operator, at an
// office or elsewhere. It carries no name. In a referral's dossier it moves the
// referral too.
type AppointmentBooked struct {
	Office   string    `avro:"office" json:"office"`
	Operator string    `avro:"operator" json:"operator"`
	Mode     string    `avro:"mode" json:"mode"`
	Starts   time.Time `avro:"starts" json:"starts"`

	Service           *string    `avro:"service" json:"service,omitempty"`
	Referral          *string    `avro:"referral" json:"referral,omitempty"`
	Unit              *string    `avro:"unit" json:"unit,omitempty"`
	Kiosk             *string    `avro:"kiosk" json:"kiosk,omitempty"`
	Ends              *time.Time `avro:"ends" json:"ends,omitempty"`
	TimeZone          *string    `avro:"time_zone" json:"time_zone,omitempty"`
	Motive            *string    `avro:"motive" json:"motive,omitempty"`
	ExternalReference *string    `avro:"external_reference" json:"external_reference,omitempty"`
}

// AppointmentRescheduled moves an appointment to another time.
type AppointmentRescheduled struct {
	OldStarts time.Time  `avro:"old_starts" json:"old_starts"`
	NewStarts time.Time  `avro:"new_starts" json:"new_starts"`
	NewEnds   *time.Time `avro:"new_ends" json:"new_ends,omitempty"`
}

// AppointmentReminderDue is the hub's reminder, 48 hours before the start.
type AppointmentReminderDue struct {
	Clock     string    `avro:"clock" json:"clock"`
	StartedBy string    `avro:"started_by" json:"started_by"`
	Due       time.Time `avro:"due" json:"due"`
}

// AppointmentCancelled calls an appointment off.
type AppointmentCancelled struct {
	By     string  `avro:"by" json:"by"`
	Reason *string `avro:"reason" json:"reason,omitempty"`
}

// AppointmentAttended says that the person came.
type AppointmentAttended struct{}

// AppointmentMissed says that the person did not come.
type AppointmentMissed struct{}

// AppointmentUnreported says that two working days after its end nobody has said
// whether the person came; it is never assumed that they did not.
type AppointmentUnreported struct {
	Clock     string    `avro:"clock" json:"clock"`
	StartedBy string    `avro:"started_by" json:"started_by"`
	Due       time.Time `avro:"due" json:"due"`
}
