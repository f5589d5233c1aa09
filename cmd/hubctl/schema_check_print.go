package main

import "github.com/relais-fr/relais/cmd/hubctl/internal/door"

// print tells the findings to a person.
func (s *schemaCheck) print(out *printer, all []checkedSchema) {
	for _, checked := range all {
		if checked.OK {
			out.printf("OK: %s reads all of %s\n", checked.File, checked.Event)
		} else {
			out.printf("BREAKS: %s does not read all of %s\n", checked.File, checked.Event)
		}
		for _, v := range checked.Versions {
			s.printVersion(out, v)
		}
	}
	if s.on != nil {
		s.on.found.print(out)
	}
	switch {
	case s.offline:
		out.printf("Not looked at, as --offline says: the registry, and what was written.\n")
	case s.participant == "" && s.on == nil:
		out.printf("Not looked at: which versions the events of a participant have; --topic reads its topic, --participant its mailbox.\n")
	case s.participant != "":
		out.printf("The first %d events of %s's mailbox were looked at.\n", s.read, s.participant)
	}
}

func (s *schemaCheck) printVersion(out *printer, v checkedVersion) {
	word := "reads"
	if !v.OK {
		word = "BREAKS on"
	}
	out.printf("  %s %s", word, v.What)
	if v.ID != 0 {
		out.printf(" (id %d)", v.ID)
	}
	if v.Next && v.ID != 0 {
		out.printf(", and what the next version writes")
	}
	if v.Events > 0 {
		out.printf(", %d events in the mailbox", v.Events)
	}
	if v.Records != nil {
		out.printf(", %d records on the topic", v.Records.Count)
	}
	out.printf("\n")
	if v.Records != nil && len(v.Problems) > 0 {
		out.printf("    where  %s\n", v.Records)
	}
	if v.Unreadable != nil {
		for _, at := range v.Unreadable.First {
			out.printf("    record %s: %s\n", at, door.Printable(at.Detail))
		}
		if more := v.Unreadable.Count - len(v.Unreadable.First); more > 0 {
			out.printf("    record and %d more\n", more)
		}
	}
	for _, p := range v.Problems {
		field := p.Field
		if field == "" {
			field = "the schema as a whole"
		}
		out.printf("    field  %s, %s\n", door.Printable(field), door.Printable(p.Type))
		out.printf("    what   %s\n", door.Printable(p.Detail))
		out.printf("    do     %s\n", door.Printable(p.Do))
	}
}
