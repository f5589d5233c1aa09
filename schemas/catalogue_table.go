package schemas

import "strings"

// CatalogueTable renders the catalogue as a Markdown table, in the order of the
// story. The README holds it; a test compares the two. Its links are relative to
// the repository's root: an event's schema, and an example of its data as JSON.
func CatalogueTable() string {
	var table strings.Builder
	table.WriteString("| event | schema | dossier | who may send it | who gets it | en français | in English | example |\n")
	table.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, e := range catalogue {
		file := fileName(e.Name)
		row := []string{
			"`" + e.Name + "`", "[" + e.Type + "](schemas/" + file + ".avsc)", e.Dossier, words(e.Senders), words(e.Recipients),
			"**" + e.NameFR + "** : " + e.French, "**" + e.NameEN + "**: " + e.English, "[JSON](schemas/examples/" + file + ".json)",
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
