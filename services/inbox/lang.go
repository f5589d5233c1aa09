package inbox

import (
	"net/http"
	"time"

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
	monthsFR = [...]string{"janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."}
	daysFR   = [...]string{"dim.", "lun.", "mar.", "mer.", "jeu.", "ven.", "sam."}
)

// Date is a day as people write it: `jeu. 14 mai 2026`.
func (l lang) Date(t time.Time) string {
	if l == english {
		return t.Format("Mon 2 January 2006")
	}
	return daysFR[t.Weekday()] + t.Format(" 2 ") + monthsFR[t.Month()-1] + t.Format(" 2006")
}

// Moment is a day and a time of day.
func (l lang) Moment(t time.Time) string {
	if l == english {
		return l.Date(t) + t.Format(", 15:04")
	}
	return l.Date(t) + t.Format(" à 15 h 04")
}
