package territory

import _ "time/tzdata" // the zones below must be known where the system has none

// zone is what depends on the department alone.
type zone struct {
	timeZone, holidays string
	// callingCode is the country code of its own telephone numbers.
	callingCode string
	box         Box
}

// Box is a span of latitudes and longitudes, WGS84 degrees.
type Box struct{ South, North, West, East float64 }

// Contains says whether the point lies in the box.
func (b Box) Contains(lat, lon float64) bool {
	return b.South <= lat && lat <= b.North && b.West <= lon && lon <= b.East
}

var mainland = zone{"Europe/Paris", Metropole, "33", Box{41.2, 51.2, -5.4, 9.7}}

// zones are the departments and collectivities that differ from the mainland.
// Boxes are generous: they are there to catch swapped and lost digits.
var zones = map[string]zone{
	"57":  {"Europe/Paris", "alsace-moselle", "33", mainland.box},
	"67":  {"Europe/Paris", "alsace-moselle", "33", mainland.box},
	"68":  {"Europe/Paris", "alsace-moselle", "33", mainland.box},
	"971": {"America/Guadeloupe", "guadeloupe", "590", Box{15.7, 16.7, -62, -60.9}},
	"972": {"America/Martinique", "martinique", "596", Box{14.3, 15, -61.4, -60.7}},
	"973": {"America/Cayenne", "guyane", "594", Box{2, 6, -54.8, -51.5}},
	"974": {"Indian/Reunion", "la-reunion", "262", Box{-21.5, -20.8, 55.1, 56}},
	"975": {"America/Miquelon", Metropole, "508", Box{46.6, 47.3, -56.6, -56}},
	"976": {"Indian/Mayotte", "mayotte", "262", Box{-13.2, -12.5, 44.9, 45.4}},
	"977": {"America/St_Barthelemy", "saint-barthelemy", "590", Box{17.8, 18, -63, -62.7}},
	"978": {"America/Marigot", "saint-martin", "590", Box{18, 18.2, -63.2, -62.9}},
	"986": {"Pacific/Wallis", Metropole, "681", Box{-14.5, -13, -178.5, -176}},
	"987": {"Pacific/Tahiti", Metropole, "689", Box{-28, -7, -155, -134}},
	"988": {"Pacific/Noumea", Metropole, "687", Box{-23, -17.5, 158, 172.5}},
}

func zoneOf(department string) zone {
	if z, ok := zones[department]; ok {
		return z
	}
	return mainland
}

// TimeZone is the IANA name of the department's time zone.
func TimeZone(department string) string { return zoneOf(department).timeZone }

// HolidayZone is the department's zone of public holidays, for Holidays.On.
// Where no table of its own is known, it is Metropole.
func HolidayZone(department string) string { return zoneOf(department).holidays }

// CallingCode is the telephone country code of the department's own numbers,
// without the plus sign.
func CallingCode(department string) string { return zoneOf(department).callingCode }

// BoxOf is the part of the map in which the department lies.
func BoxOf(department string) Box { return zoneOf(department).box }
