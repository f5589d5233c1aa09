package schemas

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

// Kind is what an event is about.
type Kind string

// The kinds of event. KindHub are the hub's own.
const (
	KindReferral    Kind = "referral"
	KindAppointment Kind = "appointment"
	KindVisit       Kind = "visit"
	KindHub         Kind = "hub"
)

// Role is what a participant is: in the directory, or in a case.
type Role string

// What a participant is in the directory.
const (
	RoleOffice   Role = "office"
	RoleOperator Role = "operator"
	RolePartner  Role = "partner"
	RoleHub      Role = "hub"
	// RoleFeeder may hand in for the offices that it was given: office software,
	// or the bulk import.
	RoleFeeder Role = "feeder"
	// RoleAdmin keeps the directory, the dead letters and the settings.
	RoleAdmin Role = "admin"
)

// What a participant is in a case, or to an event.
const (
	// RoleSender made the referral, RoleRecipient is asked to treat it.
	RoleSender    Role = "sender"
	RoleRecipient Role = "recipient"
	// RoleSubmitter handed in the submission that an event is about.
	RoleSubmitter Role = "submitter"
	// RoleAddressee is named in the event itself.
	RoleAddressee   Role = "addressee"
	RoleObservatory Role = "observatory"
)

// Entry is one event of the catalogue. Entries are shared: do not change what
// Example points to.
type Entry struct {
	// Name is the record's name, Type its full name: CloudEvents type, Avro full
	// name and registry subject in one.
	Name string
	Type string
	Kind Kind
	// Opens says whether the event opens a case.
	Opens bool
	// Dossier says in which dossier the event stands.
	Dossier string
	// Senders may hand it in; Recipients get it, besides the receipt that a
	// sender gets of its own facts. No recipient means nobody.
	Senders    []Role
	Recipients []Role
	// NameFR and NameEN are what a timeline shows; French and English are the
	// meaning, in a sentence.
	NameFR, NameEN  string
	French, English string
	// Schema is the canonical Avro schema.
	Schema string
	// New is an empty payload, a pointer to the Go type.
	New func() any
	// Example is a filled payload of that type; examples/ has it as JSON.
	Example any
}

//go:embed *.avsc
var schemaFiles embed.FS

// catalogue and entryByType are never changed once the program has started.
var (
	catalogue   = newCatalogue()
	entryByType = indexCatalogue(catalogue)
)

// newCatalogue fills in what follows from the name and the kind.
func newCatalogue() []Entry {
	entries := slices.Concat(referralEntries(), appointmentEntries(), visitEntries(), hubEntries())
	for i := range entries {
		e := &entries[i]
		e.Type = "fr.relais." + string(e.Kind) + ".v1." + e.Name
		schema, err := schemaFiles.ReadFile(fileName(e.Name) + ".avsc")
		if err != nil {
			panic(fmt.Sprintf("schema of %s: %v", e.Name, err))
		}
		e.Schema = string(schema)
	}
	return entries
}

// fileName is `referral_made` for ReferralMade.
func fileName(name string) string {
	var file strings.Builder
	for i, r := range name {
		if i > 0 && 'A' <= r && r <= 'Z' {
			file.WriteByte('_')
		}
		file.WriteRune(r)
	}
	return strings.ToLower(file.String())
}

func indexCatalogue(entries []Entry) map[string]*Entry {
	byType := make(map[string]*Entry, len(entries))
	for i := range entries {
		byType[entries[i].Type] = &entries[i]
	}
	return byType
}

// Catalogue is every event, in the order of the story.
func Catalogue() []Entry { return slices.Clone(catalogue) }

// Lookup finds an event by its type, the full name. It is safe for concurrent
// use.
func Lookup(typ string) (Entry, bool) {
	e, ok := entryByType[typ]
	if !ok {
		return Entry{}, false
	}
	return *e, true
}

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
