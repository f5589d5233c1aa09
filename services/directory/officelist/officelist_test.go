package officelist

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/services/internal/directory"
)

const header2024 = "id_fs,insee_dep,lib_fs,adresse,complement_adresse,insee_com,code_postal,lib_com,latitude,longitude,mail,telephone,h_lundi,h_mardi,h_mercredi,h_jeudi,h_vendredi,h_samedi,prise_rdv,commentaire,type_fs,format_fs,groupe_fs,labellisation_fs\n"

// rowOf is a row of the 2024 layout with some cells changed.
func rowOf(change map[string]string) string {
	cells := map[string]string{
		"id_fs": "7", "insee_dep": "23", "lib_fs": "France services d'essai", "adresse": "1 Place de la Mairie",
		"insee_com": "23096", "code_postal": "23000", "lib_com": "GUERET", "latitude": "46.17", "longitude": "1.87",
		"mail": "quelquun@example.org", "telephone": "05 55 00 00 01", "h_lundi": "08:00 - 18:00", "h_mardi": "08:00 - 18:00", "h_mercredi": "08:00 - 18:00",
		"prise_rdv": "Oui", "type_fs": "Principal", "format_fs": "Fixe", "labellisation_fs": "Espace labellisé 01/02/2020",
	}
	maps.Copy(cells, change)
	var out []string
	for name := range strings.SplitSeq(strings.TrimSpace(header2024), ",") {
		out = append(out, `"`+strings.ReplaceAll(cells[name], `"`, `""`)+`"`)
	}
	return strings.Join(out, ",") + "\n"
}

func read(t testing.TB, text string) (*List, error) {
	t.Helper()
	return Read([]byte(text), atlas(t), Options{Prefix: directory.OfficialPrefix})
}

func TestARowBecomesAnOffice(t *testing.T) {
	list, err := read(t, header2024+rowOf(nil))
	if err != nil {
		t.Fatal(err)
	}
	lat, lon := 46.17, 1.87
	want := []directory.Office{{
		ID: "fs-7", Matricule: 7, Name: "France services d'essai", Kind: directory.KindFixed, Mobile: directory.No, FormatSource: "Fixe",
		Address: "1 Place de la Mairie", Postcode: "23000", InseeCommune: "23096", Commune: "Guéret",
		Department: "23", DepartmentName: "Creuse", Region: "75", EPCI: "200034825", Lat: &lat, Lon: &lon,
		TimeZone: "Europe/Paris", HolidayZone: "metropole", Phone: "+33555000001",
		Hours: "Mo-We 08:00-18:00; PH off", WeeklyMinutes: 1800, OnAppointment: directory.Yes, LabelledOn: "2020-02-01",
		Services: []string{"*"},
	}}
	if diff := cmp.Diff(want, list.Offices); diff != "" {
		t.Errorf("offices (-want +got):\n%s", diff)
	}
}

func TestWhatIsOddInARowIsReadAndNamed(t *testing.T) {
	a := atlas(t)
	lat := func(o directory.Office) any {
		if o.Lat == nil {
			return nil
		}
		return *o.Lat
	}
	for _, test := range []struct {
		name   string
		change map[string]string
		quirk  string
		got    func(directory.Office) any
		want   any
	}{
		{"a provisional id is kept apart", map[string]string{"id_fs": "temp_12"}, "id_temporary", func(o directory.Office) any { return fmt.Sprint(o.ID, o.Matricule) }, "fs-temp_120"},
		{"an unknown format is a fixed office", map[string]string{"format_fs": "Péniche"}, "format_unknown:Péniche", func(o directory.Office) any { return o.Kind }, directory.KindFixed},
		{"Mobile is a bus", map[string]string{"format_fs": "Mobile"}, "", func(o directory.Office) any { return o.Kind }, directory.KindItinerant},
		{"a bus by its format", map[string]string{"format_fs": "Bus_équivalent"}, "", func(o directory.Office) any { return o.Mobile }, directory.Yes},
		{"an antenna by its type", map[string]string{"type_fs": "Antenne", "format_fs": "Multisites"}, "", func(o directory.Office) any { return o.Kind }, directory.KindAntenna},
		{"no commune code", map[string]string{"insee_com": ""}, "insee_missing", func(o directory.Office) any { return o.Commune + o.Region }, "GUERET75"},
		{"a commune code that is none", map[string]string{"insee_com": "0null"}, "insee_bad", func(o directory.Office) any { return o.InseeCommune }, ""},
		{"a commune that does not exist", map[string]string{"insee_com": "23999"}, "insee_unknown", func(o directory.Office) any { return o.Commune }, "GUERET"},
		{"a commune code without its zero", map[string]string{"insee_com": "1053", "insee_dep": "01", "code_postal": "01000", "latitude": "46.2", "longitude": "5.2"}, "insee_lost_zero", func(o directory.Office) any { return o.Commune }, "Bourg-en-Bresse"},
		{"a merged commune is its parent", map[string]string{"insee_com": "49069", "insee_dep": "49", "code_postal": "49270"}, "insee_commune-deleguee", func(o directory.Office) any { return o.InseeCommune + o.Commune }, "49126Orée d'Anjou"},
		{"a whole city", map[string]string{"insee_com": "13055", "insee_dep": "13", "code_postal": "13001"}, "insee_whole_city", func(o directory.Office) any { return o.Commune }, "Marseille"},
		{"a Corsican commune", map[string]string{"insee_com": "2a004", "insee_dep": "2A", "code_postal": "20000"}, "", func(o directory.Office) any { return o.InseeCommune + o.Department + o.Region }, "2A0042A94"},
		{"a department without its zero", map[string]string{"insee_com": "01053", "insee_dep": "1", "code_postal": "01000"}, "department_lost_zero", func(o directory.Office) any { return o.Department }, "01"},
		{"a department other than the commune's is kept as published", map[string]string{"insee_dep": "87"}, "department_mismatch:87!=23", func(o directory.Office) any { return o.Department }, "87"},
		{"no department", map[string]string{"insee_dep": ""}, "", func(o directory.Office) any { return o.Department }, "23"},
		{"a department that does not exist", map[string]string{"insee_dep": "99"}, "department_unknown", func(o directory.Office) any { return o.Department }, "23"},
		{"a postcode of elsewhere", map[string]string{"code_postal": "75001"}, "postcode_not_of_commune", func(o directory.Office) any { return o.Postcode }, "75001"},
		{"a postcode with CEDEX", map[string]string{"code_postal": "23000 CEDEX 9"}, "postcode_format", func(o directory.Office) any { return o.Postcode }, "23000"},
		{"a postcode without its zero", map[string]string{"insee_com": "01053", "insee_dep": "01", "code_postal": "1000"}, "postcode_lost_zero", func(o directory.Office) any { return o.Postcode }, "01000"},
		{"no coordinates", map[string]string{"latitude": "", "longitude": ""}, "coords_missing", lat, nil},
		{"coordinates of nowhere", map[string]string{"latitude": "0", "longitude": "0"}, "coords_missing", lat, nil},
		{"coordinates that are no numbers", map[string]string{"latitude": "NaN", "longitude": "x"}, "coords_missing", lat, nil},
		{"a latitude that is not a number", map[string]string{"latitude": "NaN"}, "coords_outside_territory", lat, nil},
		{"swapped coordinates", map[string]string{"latitude": "1.87", "longitude": "46.17"}, "coords_outside_territory", lat, nil},
		{"a decimal comma", map[string]string{"latitude": "46,17", "longitude": "1,87"}, "", lat, 46.17},
		{"a telephone number without its zero", map[string]string{"telephone": "555000001"}, "phone_lost_zero", func(o directory.Office) any { return o.Phone }, "+33555000001"},
		{"an international telephone number", map[string]string{"telephone": "+33 (0)5 55 00 00 01"}, "", func(o directory.Office) any { return o.Phone }, "+33555000001"},
		{"two telephone numbers", map[string]string{"telephone": "05 55 00 00 01 / 05 55 00 00 02"}, "phone_several", func(o directory.Office) any { return o.Phone }, "+33555000001"},
		{"a short telephone number", map[string]string{"telephone": "3960"}, "phone_bad", func(o directory.Office) any { return o.Phone }, ""},
		{"a telephone number of La Réunion", map[string]string{"telephone": "0262 00 00 01", "insee_dep": "974", "insee_com": "97411", "code_postal": "97400", "latitude": "-20.9", "longitude": "55.45"}, "", func(o directory.Office) any { return o.Phone + o.TimeZone + o.HolidayZone }, "+262262000001Indian/Reunionla-reunion"},
		{"Moselle has its own holidays", map[string]string{"insee_dep": "57", "insee_com": "57463", "code_postal": "57000"}, "", func(o directory.Office) any { return o.HolidayZone }, "alsace-moselle"},
		{"a blank answer is unknown, not no", map[string]string{"prise_rdv": ""}, "", func(o directory.Office) any { return o.OnAppointment }, directory.Unknown},
		{"a label without a day", map[string]string{"labellisation_fs": "Espace labellisé"}, "", func(o directory.Office) any { return o.LabelledOn }, ""},
		{"a label on a day that never was", map[string]string{"labellisation_fs": "Espace labellisé 31/02/2020"}, "label_bad", func(o directory.Office) any { return o.LabelledOn }, ""},
		{"a no-break space in the name", map[string]string{"lib_fs": "France\u00a0services  X "}, "whitespace:name", func(o directory.Office) any { return o.Name }, "France services X"},
		{"a name in decomposed letters", map[string]string{"lib_fs": "Gue\u0301ret"}, "", func(o directory.Office) any { return o.Name }, "Guéret"},
		{"an @ in a name", map[string]string{"lib_fs": "Bus La Rur@linette"}, "", func(o directory.Office) any { return o.Name }, "Bus La Rur@linette"},
		{"line breaks after an address", map[string]string{"adresse": "1 Rue X\r\n\r\n"}, "newline:address", func(o directory.Office) any { return o.Address }, "1 Rue X"},
		{"an e-mail address in the comment", map[string]string{"commentaire": "Écrire à jeanne.d'arc@exemple.fr, merci"}, "mail_in_comment", func(o directory.Office) any { return o.Note }, "Écrire à [mail], merci"},
		{"an e-mail address that lacks its end", map[string]string{"commentaire": "contact@mairie"}, "mail_in_comment", func(o directory.Office) any { return o.Note }, "[mail]"},
		{"an e-mail address in an address", map[string]string{"adresse": "1 Rue X a@b.fr"}, "mail_in_address", func(o directory.Office) any { return o.Address }, "1 Rue X [mail]"},
		{"JavaScript escapes", map[string]string{"commentaire": `L\u2019accueil\x20\xE0\x2017h\x0A\x0Aa\x40b.fr\ud800`}, "js_escaped:comment newline:comment mail_in_comment", func(o directory.Office) any { return o.Note }, "L’accueil à 17h [mail]\uFFFD"},
	} {
		t.Run(test.name, func(t *testing.T) {
			list, err := Read([]byte(header2024+rowOf(test.change)), a, Options{Prefix: directory.OfficialPrefix})
			if err != nil {
				t.Fatal(err)
			}
			o := list.Offices[0]
			if got := test.got(o); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			for quirk := range strings.FieldsSeq(test.quirk) {
				if !strings.Contains(strings.Join(o.Quirks, " "), quirk) {
					t.Errorf("quirks %v, want %s", o.Quirks, test.quirk)
				}
			}
			if test.quirk == "" && len(o.Quirks) > 0 && !strings.Contains(o.Quirks[0], "coords") {
				t.Errorf("quirks %v", o.Quirks)
			}
		})
	}
}

func TestOlderLayouts(t *testing.T) {
	t.Run("2022: kind from format and itinerance, columns in another order", func(t *testing.T) {
		list, err := read(t, "groupe;format_fs;itinerance;lib_fs;id_fs;insee_com;insee_dep;code_postal;lib_com;adresse;complement_adresse;latitude;longitude;telephone;mail;h_lundi;h_mardi;h_mercredi;h_jeudi;h_vendredi;h_samedi;commentaire;labellisation\n"+
			"G;Antenne;Non;Un;1;23096;23;23000;Guéret;;;46.17;1.87;;;;;;;;;;Espace labellisé 01/01/2020\n"+
			";;Oui;Deux;temp_2;23096;23;23000;Guéret;;;46.17;1.87;;;9h-12h;;;;;;;\n"+
			";Fixe;Non;Trois;3;23096;23;23000;Guéret;;;46.17;1.87;;;;;;;;;;\n")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range list.Offices {
			got = append(got, fmt.Sprintln(o.ID, o.Kind, o.Mobile, o.Group, o.OnAppointment, o.LabelledOn, o.Quirks))
		}
		want := []string{
			"fs-1 antenna no G unknown 2020-01-01 [hours_none]\n",
			"fs-temp_2 itinerant yes  unknown  [id_temporary hours_format:Mo hours_below_24h_charter]\n",
			"fs-3 fixed no  unknown  [hours_none]\n",
		}
		if diff := cmp.Diff(want, got); diff != "" || list.Layout != "2022" || list.Separator != ";" {
			t.Errorf("layout %s, separator %s (-want +got):\n%s", list.Layout, list.Separator, diff)
		}
	})
	t.Run("2020: upper-case headers, lost zeros and decimal commas", func(t *testing.T) {
		list, err := read(t, "MATRICULE;FRANCE SERVICES;ITINÉRANCE;CODE INSEE;DÉPARTEMENT;CODE POSTAL;COMMUNE;ADRESSE;COMPLÉMENT D'ADRESSE;LATITUDE;LONGITUDE;TELEPHONE;CONTACT MAIL;HORAIRES LUNDI;HORAIRES MARDI;HORAIRES MERCREDI;HORAIRES JEUDI;HORAIRES VENDREDI;HORAIRES SAMEDI\n"+
			"1;Bourg;Oui;01053;1;01000;BOURG EN BRESSE;;;46,2;5,22;474000001;;Sur RDV;;;;;\n")
		if err != nil {
			t.Fatal(err)
		}
		o := list.Offices[0]
		got := fmt.Sprintln(o.ID, o.Kind, o.Commune, o.Department, *o.Lat, *o.Lon, o.Phone, o.ConditionalDays, o.Note, o.Quirks)
		want := "fs-1 itinerant Bourg-en-Bresse 01 46.2 5.22 +33474000001 [Mo] Lundi : Sur RDV [department_lost_zero phone_lost_zero hours_text:Mo]\n"
		if diff := cmp.Diff(want, got); diff != "" || list.Layout != "2020" {
			t.Errorf("layout %s (-want +got):\n%s", list.Layout, diff)
		}
	})
}

// padding is enough good rows that one or two bad ones are not too many.
func padding() string {
	var b strings.Builder
	for i := range 60 {
		b.WriteString(rowOf(map[string]string{"id_fs": fmt.Sprint(1000 + i)}))
	}
	return b.String()
}

func TestABrokenRowIsReportedByLineAndTheNextOneIsRead(t *testing.T) {
	a := atlas(t)
	good := rowOf(map[string]string{"id_fs": "8", "commentaire": "sur\ndeux \"lignes\""})
	for _, test := range []struct {
		name, rows string
		line       int
		code       RejectedCode
	}{
		{"no id", rowOf(map[string]string{"id_fs": " "}), 2, RejectedIDMissing},
		{"an id that is none", rowOf(map[string]string{"id_fs": "fs-7"}), 2, RejectedIDBad},
		{"an id of twenty digits", rowOf(map[string]string{"id_fs": "12345678901234567890"}), 2, RejectedIDBad},
		{"no name", rowOf(map[string]string{"lib_fs": "\u00a0"}), 2, RejectedNameMissing},
		{"the same id again, after a cell of two lines", good + good, 4, RejectedIDDuplicate},
		{"the same id with zeros before it", good + rowOf(map[string]string{"id_fs": "0008"}), 4, RejectedIDDuplicate},
		{"a fragment of a comment", "\"Saint Ouen en Belin (Mairie) : 3ème lundi du mois 9h-12h  \"\n", 2, RejectedIDBad},
		{"a quote that never closes", "\"99999\",\"01\",\"France services sans fin\n", 2, RejectedQuote},
		{"text after a closing quote", "\"99999\",\"01\",\"France \"services\" ici\"\n", 2, RejectedQuote},
		{"a cell that is too long", "9,\"" + strings.Repeat("x", maxCell+1) + "\"\n", 2, RejectedCellTooLong},
		{"an open cell that is too long", "9," + strings.Repeat("x", maxCell+1) + "\n", 2, RejectedCellTooLong},
		{"a row that is too wide", "9" + strings.Repeat(",", maxCells) + "\n", 2, RejectedTooWide},
	} {
		t.Run(test.name, func(t *testing.T) {
			list, err := Read([]byte(header2024+test.rows+"\n\n , ,\n"+rowOf(map[string]string{"id_fs": "9"})+padding()), a, Options{Prefix: directory.OfficialPrefix})
			if err != nil {
				t.Fatal(err)
			}
			if len(list.Rejected) != 1 || list.Rejected[0].Line != test.line || list.Rejected[0].Code != test.code || list.Rejected[0].Reason == "" || list.Rejected[0].ReasonFR == "" {
				t.Errorf("rejected %+v", list.Rejected)
			}
			found := false
			for _, o := range list.Offices {
				found = found || o.ID == "fs-9"
			}
			if !found || list.Rows != len(list.Offices)+1 {
				t.Errorf("%d rows, %d offices, the next row read: %v", list.Rows, len(list.Offices), found)
			}
		})
	}
	t.Run("a row cut short by an unquoted line break is read as far as it goes", func(t *testing.T) {
		list, err := Read([]byte(header2024+"6,23,Un\nsuite du commentaire,Principal,Fixe\n"+padding()), a, Options{Prefix: directory.OfficialPrefix})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Rejected) != 1 || list.Rejected[0].Line != 3 || list.Offices[0].ID != "fs-6" || list.Offices[0].Quirks[0] != "columns_missing" {
			t.Errorf("rejected %+v, first office %+v", list.Rejected, list.Offices[0])
		}
	})
}

func TestTheBrokenFixtureIsRefusedWithAReportByLine(t *testing.T) {
	_, err := Read(shared(t, "broken-rows-synthetic.csv"), atlas(t), Options{Prefix: directory.OfficialPrefix})
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Code != RefusedTooManyRejected {
		t.Fatalf("error %v", err)
	}
	var got []string
	for _, r := range refusal.Rejected {
		got = append(got, fmt.Sprint(r.Line, " ", r.Code))
	}
	want := []string{"3 id_duplicate", "4 id_bad", "6 quote_not_closed"}
	if diff := cmp.Diff(want, got); diff != "" || refusal.Rows != 5 {
		t.Errorf("%d rows (-want +got):\n%s", refusal.Rows, diff)
	}
}

func TestTheLastRowOfTheBrokenFixtureIsReadAsWellAsCanBe(t *testing.T) {
	file := string(shared(t, "broken-rows-synthetic.csv"))
	head, _, _ := strings.Cut(file, "\n")
	list, err := read(t, head+"\n"+file[strings.Index(file, `"88888"`):])
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"insee_unknown", "coords_missing", "phone_lost_zero", "hours_format:Tu", "hours_text:We", "hours_zero_length:Th",
		"hours_reversed:Fr", "hours_bad:Sa", "js_escaped:comment",
	}
	o := list.Offices[0]
	if diff := cmp.Diff(want, o.Quirks); diff != "" {
		t.Errorf("quirks (-want +got):\n%s", diff)
	}
	if o.Hours != "Tu 08:30-12:00,13:30-17:00; PH off" || o.Phone != "+33495000000" || o.Note != "a b // Mercredi : sur rdv" || o.OnAppointment != directory.Yes {
		t.Errorf("%+v", o)
	}
}

func TestAFileThatLooksWrongWholeIsRefused(t *testing.T) {
	a := atlas(t)
	for _, test := range []struct {
		name, file string
		previous   int
		code       RefusedCode
	}{
		{"nothing at all", "", 0, RefusedEmpty},
		{"a header alone", header2024, 0, RefusedEmpty},
		{"a spreadsheet", "PK\x03\x04\x00\x00", 0, RefusedNotText},
		{"UTF-16", "i\x00d\x00", 0, RefusedNotText},
		{"another file", "nom,prenom\nx,y\n", 0, RefusedHeaderMissing},
		{"a header without the hours of Saturday", strings.Replace(header2024, "h_samedi", "h_dimanche", 1) + rowOf(nil), 0, RefusedHeaderMissing},
		{"a header without the form of the office", strings.Replace(header2024, "format_fs", "x", 1) + rowOf(nil), 0, RefusedHeaderMissing},
		{"a column that stands there twice", "ID_FS," + header2024, 0, RefusedHeaderTwice},
		{"more than one row in twenty rejected", header2024 + padding() + rowOf(map[string]string{"lib_fs": ""}) + strings.Repeat("x\n", 3), 0, RefusedTooManyRejected},
		{"more than a tenth of the offices gone", header2024 + padding(), 67, RefusedFewerOffices},
		{"too many bytes", strings.Repeat(" ", MaxBytes+1), 0, RefusedTooLarge},
		{"too many rows", header2024 + strings.Repeat("1,2\n", maxRows+1), 0, RefusedTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Read([]byte(test.file), a, Options{Prefix: directory.OfficialPrefix, Previous: test.previous})
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Code != test.code || refusal.Detail == "" {
				t.Errorf("error %v, want %s", err, test.code)
			}
		})
	}
	t.Run("a tenth of the offices gone is not too many", func(t *testing.T) {
		if _, err := Read([]byte(header2024+padding()), a, Options{Previous: 66}); err != nil {
			t.Error(err)
		}
	})
}

func TestEncodings(t *testing.T) {
	a := atlas(t)
	t.Run("one damaged byte does not make the file Windows-1252", func(t *testing.T) {
		list, err := Read([]byte(header2024+rowOf(map[string]string{"lib_fs": "Mair\xffie élève"})), a, Options{})
		if err != nil {
			t.Fatal(err)
		}
		o := list.Offices[0]
		if list.Encoding != "UTF-8" || o.Name != "Mair\uFFFDie élève" || o.Quirks[0] != "encoding:name" {
			t.Errorf("%s, %q, %v", list.Encoding, o.Name, o.Quirks)
		}
	})
	t.Run("line ends of an old Macintosh", func(t *testing.T) {
		list, err := Read([]byte(strings.ReplaceAll(header2024+rowOf(nil), "\n", "\r")), a, Options{})
		if err != nil || len(list.Offices) != 1 {
			t.Errorf("%v, %v", list, err)
		}
	})
}

// A file made of nothing but open quotes must not be read through once for each
// of them.
func TestAHostileFileIsReadInTime(t *testing.T) {
	a := atlas(t)
	for name, line := range map[string]string{
		"open quotes":          "\"\n",
		"open quotes and text": "\"a\n",
		"pairs of quotes":      `x,"""""` + "\n",
		"long pairs":           `"` + strings.Repeat(`""`, 500) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, err := Read([]byte(header2024+strings.Repeat(line, MaxBytes/8/len(line))), a, Options{})
			if err == nil {
				t.Error("the file was taken")
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(header2024 + rowOf(nil)))
	f.Add([]byte("\uFEFF" + strings.ReplaceAll(header2024+rowOf(map[string]string{"commentaire": "a\nb"}), "\n", "\r\n")))
	f.Add([]byte(strings.ReplaceAll(header2024, ",", ";") + "1;1;x\xe9;\"\n\"\";;\"y"))
	f.Add([]byte(header2024 + "\"1\",,\"a\"b\"\n2,,c,,,0null,CEDEX,,NaN,1e999,,+33,9h-25h,sur rdv,,,," + `\x20\ud800`))
	a := atlas(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := Read(data, a, Options{Prefix: directory.OfficialPrefix})
		if err != nil {
			if _, ok := errors.AsType[*Refusal](err); !ok {
				t.Fatalf("the error is no refusal: %v", err)
			}
			return
		}
		if len(list.Offices)+len(list.Rejected) != list.Rows {
			t.Errorf("%d rows, %d offices, %d rejected", list.Rows, len(list.Offices), len(list.Rejected))
		}
		seen := map[string]bool{}
		for _, o := range list.Offices {
			if o.Name == "" || seen[o.ID] || strings.ContainsAny(o.Name+o.Address+o.Note, "\n\r\u00a0") || o.WeeklyMinutes < 0 || o.WeeklyMinutes > 6*24*60 {
				t.Errorf("office %+v", o)
			}
			seen[o.ID] = true
			if _, err := o.Record(); err != nil {
				t.Errorf("the office cannot be written down: %v", err)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	data, a := shared(b, "liste-fs-20240801.full.nomail.csv"), atlas(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(data, a, Options{Prefix: directory.OfficialPrefix}); err != nil {
			b.Fatal(err)
		}
	}
}
