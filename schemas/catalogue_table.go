package schemas

import "strings"

// CatalogueTable renders the catalogue as a Markdown table, in the order of the
// story. The README holds it; a test compares the two.
func CatalogueTable() string {
	var table strings.Builder
	table.WriteString("| event | dossier | who may send it | who gets it | en français | in English |\n")
	table.WriteString("| --- | --- | --- | --- | --- | --- |\n")
	for _, e := range catalogue {
		row := []string{
			"`" + string(e.Kind) + ".v1." + e.Name + "`", e.Dossier, words(e.Senders), words(e.Recipients),
			"**" + e.NameFR + "** : " + e.French, "**" + e.NameEN + "**: " + e.English,
		}
		table.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	return table.String()
}

// words lists roles for a reader; "nobody" when there is none.
func words(roles []Role) string {
	if len(roles) == 0 {
		return "nobody"
	}
	list := make([]string, len(roles))
	for i, r := range roles {
		list[i] = string(r)
	}
	return strings.Join(list, ", ")
}
