package inbox

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
)

// lang is the language of a page. The zero value is French.
type lang int

const (
	french lang = iota
	english
)

const langCookie = "relais_lang"

// languageOf is the language that the request asks for by `lang`, or chose before;
// a new choice is kept in a cookie.
func languageOf(w http.ResponseWriter, r *http.Request) lang {
	choice := r.URL.Query().Get("lang")
	if choice == "fr" || choice == "en" {
		//nolint:gosec // not Secure: on loopback there is no TLS, and it says nothing but a language
		http.SetCookie(w, &http.Cookie{
			Name: langCookie, Value: choice, Path: "/", MaxAge: 365 * 24 * 3600,
			HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	} else if c, err := r.Cookie(langCookie); err == nil {
		choice = c.Value
	}
	if choice == "en" {
		return english
	}
	return french
}

// Code is the language's code, as in the attribute lang.
func (l lang) Code() string {
	if l == english {
		return "en"
	}
	return "fr"
}

func (l lang) pick(fr, en string) string {
	if l == english {
		return en
	}
	return fr
}

// T is a text of the page's own.
func (l lang) T(key string) string {
	t, ok := texts[key]
	if !ok {
		return key
	}
	return l.pick(t.fr, t.en)
}

// Label is the label of a code; a code that is not known here is shown as it is.
func (l lang) Label(table, code string) string {
	c, ok := schemas.LookupCode(table, code)
	if !ok {
		return code
	}
	return l.pick(c.French, c.English)
}

// Theme is the label of a theme, of either of the two tables.
func (l lang) Theme(code string) string {
	if _, ok := schemas.LookupCode(schemas.TableDigitalTheme, code); ok {
		return l.Label(schemas.TableDigitalTheme, code)
	}
	return l.Label(schemas.TableTheme, code)
}

// serviceThemes are the themes under which the national basket lists services.
// They are another list than that of the code table.
var serviceThemes = map[string]text{
	"activite-independante": {"Activité indépendante", "Self-employment"},
	"courrier":              {"Courrier", "Mail"},
	"emploi-formation":      {"Emploi, formation", "Work, training"},
	"impots-argent":         {"Impôts, argent", "Taxes, money"},
	"justice":               {"Justice", "Justice"},
	"logement":              {"Logement", "Housing"},
	"papiers-titres":        {"Papiers, titres", "Papers, permits"},
	"retraite":              {"Retraite", "Retirement"},
	"sante-handicap":        {"Santé, handicap", "Health, disability"},
	"social-famille":        {"Social, famille", "Social matters, family"},
}

// ServiceTheme is the label of a theme of the basket. One that a newer basket
// brings is shown by its code, in words.
func (l lang) ServiceTheme(code string) string {
	if t, ok := serviceThemes[code]; ok {
		return l.pick(t.fr, t.en)
	}
	words := strings.ReplaceAll(code, "-", " ")
	first, size := utf8.DecodeRuneInString(words)
	return string(unicode.ToUpper(first)) + words[size:]
}

// Event is what a timeline calls an event.
func (l lang) Event(typ string) string {
	entry, ok := schemas.Lookup(typ)
	if !ok {
		return typ
	}
	return l.pick(entry.NameFR, entry.NameEN)
}

// State is the label of a state for a participant who wears the hats: sender and
// receiver may see it differently.
func (l lang) State(kind schemas.Kind, s lifecycle.State, hats lifecycle.Hat) string {
	machine, ok := lifecycle.ByKind(kind)
	if !ok {
		return string(s)
	}
	words := machine.Words(s)
	if hats&lifecycle.Recipient != 0 {
		return l.pick(words.FrenchReceiver, words.English)
	}
	return l.pick(words.FrenchSender, words.English)
}

var (
	monthsFR     = [...]string{"janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."}
	daysFR       = [...]string{"dim.", "lun.", "mar.", "mer.", "jeu.", "ven.", "sam."}
	longMonthsFR = [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}
	longDaysFR   = [...]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"}
)

// Date is a day as people write it: `jeu. 14 mai 2026`.
func (l lang) Date(t time.Time) string {
	if l == english {
		return t.Format("Mon 2 January 2006")
	}
	return frenchDate(t, daysFR[:], monthsFR[:])
}

// LongDate is a day in full, for paper: `jeudi 14 mai 2026`.
func (l lang) LongDate(t time.Time) string {
	if l == english {
		return t.Format("Monday 2 January 2006")
	}
	return frenchDate(t, longDaysFR[:], longMonthsFR[:])
}

func frenchDate(t time.Time, days, months []string) string {
	number := strconv.Itoa(t.Day())
	if t.Day() == 1 {
		number = "1er"
	}
	return days[t.Weekday()] + " " + number + " " + months[t.Month()-1] + " " + strconv.Itoa(t.Year())
}

// Clock is a time of day.
func (l lang) Clock(t time.Time) string {
	if l == english {
		return t.Format("15:04")
	}
	return t.Format("15 h 04")
}

// Moment is a day and a time of day.
func (l lang) Moment(t time.Time) string {
	return l.Date(t) + l.pick(" à ", ", ") + l.Clock(t)
}

// phoneCodes are the calling codes after which a French number is dialled in ten
// digits.
var phoneCodes = []string{"+33", "+262", "+590", "+594", "+596"}

// Phone is a number as people here dial it: `02 61 91 01 01`.
func (lang) Phone(e164 string) string {
	for _, code := range phoneCodes {
		if rest, ok := strings.CutPrefix(e164, code); ok && len(rest) == 9 {
			n := "0" + rest
			return n[:2] + " " + n[2:4] + " " + n[4:6] + " " + n[6:8] + " " + n[8:]
		}
	}
	return e164
}
