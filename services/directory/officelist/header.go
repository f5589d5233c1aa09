package officelist

import (
	"strings"

	"github.com/relais-fr/relais/services/internal/directory"
)

// column is what a column of the list holds, under whatever header.
type column string

const (
	colID          column = "id"
	colName        column = "name"
	colType        column = "type"
	colFormat      column = "format"
	colItinerance  column = "itinerance"
	colGroup       column = "group"
	colInsee       column = "insee"
	colDepartment  column = "department"
	colPostcode    column = "postcode"
	colCommune     column = "commune"
	colAddress     column = "address"
	colAddress2    column = "address2"
	colLat         column = "lat"
	colLon         column = "lon"
	colAppointment column = "appointment"
	colPhone       column = "phone"
	colNote        column = "note"
	colLabel       column = "label"
	colMonday      column = "monday"
	colTuesday     column = "tuesday"
	colWednesday   column = "wednesday"
	colThursday    column = "thursday"
	colFriday      column = "friday"
	colSaturday    column = "saturday"
)

// days are the columns of opening hours, Monday first. There is no Sunday.
var days = [6]column{colMonday, colTuesday, colWednesday, colThursday, colFriday, colSaturday}

// columns are the headers of 2024, 2022 and 2020, folded as directory.Fold does.
// Headers that are not here, e-mail addresses among them, are not read.
var columns = map[string]column{
	"id fs": colID, "matricule": colID,
	"lib fs": colName, "france services": colName,
	"type fs": colType, "format fs": colFormat, "format": colFormat, "itinerance": colItinerance,
	"groupe fs": colGroup, "groupe": colGroup,
	"insee com": colInsee, "code insee": colInsee,
	"insee dep": colDepartment, "departement": colDepartment,
	"code postal": colPostcode,
	"lib com":     colCommune, "commune": colCommune,
	"adresse":            colAddress,
	"complement adresse": colAddress2, "complement d adresse": colAddress2,
	"latitude": colLat, "longitude": colLon,
	"prise rdv": colAppointment, "telephone": colPhone, "commentaire": colNote,
	"labellisation fs": colLabel, "labellisation": colLabel,
	"h lundi": colMonday, "horaires lundi": colMonday,
	"h mardi": colTuesday, "horaires mardi": colTuesday,
	"h mercredi": colWednesday, "horaires mercredi": colWednesday,
	"h jeudi": colThursday, "horaires jeudi": colThursday,
	"h vendredi": colFriday, "horaires vendredi": colFriday,
	"h samedi": colSaturday, "horaires samedi": colSaturday,
}

// required are the columns that every layout has, with their name of 2024.
var required = []struct {
	column column
	name   string
}{
	{colID, "id_fs"},
	{colName, "lib_fs"},
	{colInsee, "insee_com"},
	{colDepartment, "insee_dep"},
	{colPostcode, "code_postal"},
	{colCommune, "lib_com"},
	{colAddress, "adresse"},
	{colLat, "latitude"},
	{colLon, "longitude"},
	{colPhone, "telephone"},
	{colMonday, "h_lundi"},
	{colTuesday, "h_mardi"},
	{colWednesday, "h_mercredi"},
	{colThursday, "h_jeudi"},
	{colFriday, "h_vendredi"},
	{colSaturday, "h_samedi"},
}

// header says where each column stands.
type header struct {
	at    map[column]int
	width int
}

// newHeader reads the header line: by name, in any order.
func newHeader(cells []string) (header, error) {
	h := header{at: map[column]int{}, width: len(cells)}
	for i, cell := range cells {
		c, known := columns[directory.Fold(cell)]
		if !known {
			continue
		}
		if _, twice := h.at[c]; twice {
			return h, refuse(RefusedHeaderTwice, "the column %q stands in the header twice", strings.TrimSpace(cell))
		}
		h.at[c] = i
	}
	var missing []string
	for _, r := range required {
		if _, ok := h.at[r.column]; !ok {
			missing = append(missing, r.name)
		}
	}
	_, byFormat := h.at[colFormat]
	if _, byItinerance := h.at[colItinerance]; !byFormat && !byItinerance {
		missing = append(missing, "format_fs")
	}
	if missing != nil {
		return h, refuse(RefusedHeaderMissing, "the header lacks %s; is this the official list of France services offices?", strings.Join(missing, ", "))
	}
	return h, nil
}

// layout is the year of the layout.
func (h header) layout() string {
	if _, ok := h.at[colType]; ok {
		return "2024"
	}
	if _, ok := h.at[colLabel]; ok {
		return "2022"
	}
	return "2020"
}
