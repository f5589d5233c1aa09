package personal

import (
	"slices"
	"testing"
)

func TestPersonalDataInClearIsSeen(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"an e-mail address", "jeanne.martin@example.fr", "an e-mail address"},
		{"an e-mail address in a sentence", "écrire à j-martin+caf@mail.example.org.", "an e-mail address"},
		{"an at sign alone", "guichet @ mairie", ""},
		{"an at sign without a domain", "agent@caf", ""},
		{"a mobile number", "0612345678", "a telephone number"},
		{"a number in pairs", "tél. 06 12 34 56 78", "a telephone number"},
		{"a number with dots", "02.97.01.02.03", "a telephone number"},
		{"a number with no-break spaces", "06\u00a012\u00a034\u00a056\u00a078", "a telephone number"},
		{"a number with narrow spaces", "06\u202f12\u202f34\u202f56\u202f78", "a telephone number"},
		{"an international number", "+33 6 12 34 56 78", "a telephone number"},
		{"an international number with its zero", "+33 (0)6.12.34.56.78", "a telephone number"},
		{"a number of Réunion", "+262692123456", "a telephone number"},
		{"a number after 0033", "0033 6 12 34 56 78", "a telephone number"},
		{"ten digits that begin otherwise", "1234567890", ""},
		{"eleven digits", "06123456789", ""},
		{"a number inside a word", "doc-x0612345678", ""},
		{"a social security number", "1850578006084", "a social security number"},
		{"a social security number and a word", "1850578006084 dossier", "a social security number"},
		{"one with its key", "185057800608491", "a social security number"},
		{"one with a wrong key", "185057800608492", ""},
		{"one in parts", "1 85 05 78 006 084 91", "a social security number"},
		{"one of Corsica", "2 69 05 2A 588 157 17", "a social security number"},
		{"one of Upper Corsica", "1 51 02 2B 033 004 77", "a social security number"},
		{"one of Corsica with a wrong key", "2 69 05 2A 588 157 18", ""},
		{"one of Corsica without its key", "2 69 05 2A 588 157", "a social security number"},
		{"thirteen digits without a month", "1853378006084", ""},
		{"a UUID", "06123456-7890-4123-8901-185057800608", ""},
		{"a UUID of digits without hyphens", "06123456789041238901185057800608", ""},
		{"a reference", "7K3F-92QD", ""},
		{"a place", "3-1042", ""},
		{"a time", "2026-05-14T09:30:00.000+02:00", ""},
		{"an operator's own number", "CAF56-2026-118204", ""},
		{"an intercommunal body", "200067932", ""},
		{"a service", "logement/demande-d-une-allocation-logement-apl-als-alf", ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Data(tt.in); got != tt.want {
				t.Errorf("Data(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

// FuzzData looks for a crash, and for a finding that depends on what
// stands around it.
func FuzzData(f *testing.F) {
	for _, seed := range []string{"06 12 34 56 78", "a@b.fr", "1850578006084", "2 69 05 2A 588 157 17", "+33 6", "0033", "\u00a0", "@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if what := Data(s); what != "" && !slices.Contains([]string{"an e-mail address", "a telephone number", "a social security number"}, what) {
			t.Errorf("it finds %q", what)
		}
		if Data(s) != "" && Data("x, "+s+" ,x") == "" {
			t.Errorf("%q is not found among other words", s)
		}
	})
}
