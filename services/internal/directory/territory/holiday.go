package territory

import "github.com/relais-fr/relais/schemas"

// Metropole is the zone of public holidays of most of the country.
const Metropole = "metropole"

// Holidays are the public holidays of each zone. They do not change and are safe
// for concurrent use.
type Holidays struct {
	names       map[string]map[schemas.Day]string
	first, last schemas.Day
}

// LoadHolidays reads the compiled-in public holidays, 2020 to 2035.
func LoadHolidays() (*Holidays, error) {
	h := &Holidays{names: map[string]map[schemas.Day]string{}}
	err := readTable("holidays", func(c []string) error {
		day, err := schemas.ParseDay(c[1])
		if err != nil {
			return err
		}
		if h.names[c[0]] == nil {
			h.names[c[0]] = map[schemas.Day]string{}
		}
		h.names[c[0]][day] = c[2]
		if h.first == 0 || day < h.first {
			h.first = day
		}
		h.last = max(h.last, day)
		return nil
	})
	return h, err
}

// On names the public holiday of the zone on the day, if it is one. A zone that
// is not known has the holidays of Metropole.
func (h *Holidays) On(zone string, day schemas.Day) (name string, ok bool) {
	days, known := h.names[zone]
	if !known {
		days = h.names[Metropole]
	}
	name, ok = days[day]
	return name, ok
}

// Span is the first and the last holiday that is known; outside of it, On knows
// of none.
func (h *Holidays) Span() (first, last schemas.Day) { return h.first, h.last }
