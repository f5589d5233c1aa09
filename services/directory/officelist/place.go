package officelist

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/territory"
)

var (
	communeCode = regexp.MustCompile(`^([0-9]{2}|2[AB])[0-9]{3}$`)
	postcode    = regexp.MustCompile(`^[0-9]{5}`)
	// wholeCities are Paris, Lyon and Marseille, of which the list usually gives
	// the arrondissement.
	wholeCities = map[string]bool{"75056": true, "69123": true, "13055": true}
)

// place reads where the office is: commune, department, postcode and all that
// follows from them.
func (rd *reader) place(r *row, o *directory.Office) {
	published, c, known := rd.commune(r)
	o.InseeCommune, o.Commune = c.Code, c.Name
	if !known {
		o.Commune = r.plain(colCommune)
	}
	o.EPCI = c.EPCI
	own := territory.DepartmentOf(c.Code)
	o.Department = rd.department(r, own)
	d, _ := rd.atlas.Department(o.Department)
	o.DepartmentName, o.Region = d.Name, d.Region
	// The region is that of the place itself: an office that works across a
	// border keeps the department that it is published under.
	if d, ok := rd.atlas.Department(own); ok {
		o.Region = d.Region
	}
	o.TimeZone, o.HolidayZone = territory.TimeZone(o.Department), territory.HolidayZone(o.Department)
	o.Postcode = r.postcode()
	if known && o.Postcode != "" && !published.HasPostcode(o.Postcode) && !c.HasPostcode(o.Postcode) {
		r.add("postcode_not_of_commune")
	}
}

// commune looks the commune up as published and as it is today: one that was
// merged is resolved to its parent.
func (rd *reader) commune(r *row) (published, now territory.Commune, known bool) {
	code := strings.ToUpper(r.plain(colInsee))
	switch {
	case code == "":
		r.add("insee_missing")
		return published, now, false
	case len(code) == 4 && communeCode.MatchString("0"+code):
		r.add("insee_lost_zero")
		code = "0" + code
	case !communeCode.MatchString(code):
		r.add("insee_bad")
		return published, now, false
	}
	published, known = rd.atlas.Commune(code)
	if !known {
		r.add("insee_unknown")
		return published, now, false
	}
	now = published
	if published.Merged() {
		r.add("insee_" + string(published.Status))
		if parent, ok := rd.atlas.Commune(published.Parent); ok {
			now = parent
		}
	}
	if wholeCities[code] {
		r.add("insee_whole_city")
	}
	return published, now, true
}

// department is the department as published, else that of the commune.
func (rd *reader) department(r *row, ofCommune string) string {
	code := strings.ToUpper(r.plain(colDepartment))
	if len(code) == 1 && code >= "1" && code <= "9" {
		r.add("department_lost_zero")
		code = "0" + code
	}
	switch _, known := rd.atlas.Department(code); {
	case code == "" && ofCommune == "":
		r.add("department_missing")
		return ""
	case code == "":
		return ofCommune
	case !known:
		r.add("department_unknown")
		return ofCommune
	}
	if ofCommune != "" && code != ofCommune {
		r.add(fmt.Sprintf("department_mismatch:%s!=%s", code, ofCommune))
	}
	return code
}

// postcode is five digits, without what follows them (CEDEX).
func (r *row) postcode() string {
	cell := r.plain(colPostcode)
	if len(cell) == 4 && postcode.MatchString("0"+cell) {
		r.add("postcode_lost_zero")
		return "0" + cell
	}
	code := postcode.FindString(strings.ReplaceAll(cell, " ", ""))
	switch {
	case code == "":
		r.add("postcode_missing")
	case code != cell:
		r.add("postcode_format")
	}
	return code
}

// coordinates reads latitude and longitude. A point outside the department's
// part of the map is worse than none.
func (r *row) coordinates(o *directory.Office) {
	lat, okLat := decimal(r.plain(colLat))
	lon, okLon := decimal(r.plain(colLon))
	switch {
	case !okLat || !okLon || lat == 0 && lon == 0:
		r.add("coords_missing")
	case !territory.BoxOf(o.Department).Contains(lat, lon):
		r.add("coords_outside_territory")
	default:
		o.Lat, o.Lon = &lat, &lon
	}
}

// decimal reads a number with a decimal point or comma.
func decimal(cell string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.Replace(cell, ",", ".", 1), 64)
	return n, err == nil
}
