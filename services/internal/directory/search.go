package directory

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// officeWords are an office's fields folded for searching.
type officeWords struct {
	id, name, commune, postcode, department, departmentName string
	// rest is every other word by which it may be found, each after a space.
	rest string
}

func wordsOf(o *Office) officeWords {
	w := officeWords{
		id: Fold(o.ID), name: Fold(o.Name), commune: Fold(o.Commune), postcode: Fold(o.Postcode),
		department: Fold(o.Department), departmentName: Fold(o.DepartmentName),
	}
	w.rest = " " + strings.Join([]string{w.id, w.name, w.commune, w.postcode, w.department, w.departmentName, Fold(o.Group)}, " ")
	return w
}

// Fold is how names are compared: without accents and case, ligatures spelt
// out, and with one space for every run of anything that is neither a letter nor
// a digit, so that `Saint-Étienne` is found by `saint etienne`.
func Fold(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(s, " ")) {
		switch {
		case unicode.Is(unicode.Mn, r):
			continue
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		switch r {
		case 'œ', 'Œ':
			b.WriteString("oe")
		case 'æ', 'Æ':
			b.WriteString("ae")
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// maxQuery bounds the part of a query that is looked at, in bytes.
const maxQuery = 200

// Search finds up to n offices by what people type: words of the name, the
// commune, the postcode, the department's code or name, the id or its number, in
// any order, without accents or case, the last word perhaps unfinished. The best
// come first; closed offices come last. An empty text finds nothing.
func (s *Snapshot) Search(text string, n int) []Office {
	if len(text) > maxQuery {
		text = strings.ToValidUTF8(text[:maxQuery], "")
	}
	query := Fold(text)
	if query == "" || n <= 0 {
		return nil
	}
	words := strings.Fields(query)
	type hit struct {
		office *indexedOffice
		score  int
	}
	var hits []hit
	for _, o := range s.sorted() {
		if score := o.words.score(query, words); score > 0 {
			if o.Closed() {
				score -= scoreClosed
			}
			hits = append(hits, hit{o, score})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
	found := make([]Office, 0, min(n, len(hits)))
	for _, h := range hits[:min(n, len(hits))] {
		found = append(found, h.office.Office)
	}
	return found
}

// Scores: what a whole query may equal or begin counts more than where its words
// stand.
const (
	scoreClosed   = 1 << 20
	scoreID       = 1000
	scoreCommune  = 500
	scorePlace    = 400
	scoreBegins   = 200
	scoreInPlace  = 20
	scoreInName   = 10
	scoreAnywhere = 1
)

// score is 0 when a word is found nowhere.
func (w *officeWords) score(query string, words []string) int {
	score := 0
	for _, word := range words {
		switch {
		case begins(w.commune, word), strings.HasPrefix(w.postcode, word):
			score += scoreInPlace
		case begins(w.name, word):
			score += scoreInName
		case strings.Contains(w.rest, " "+word):
			score += scoreAnywhere
		default:
			return 0
		}
	}
	number, _ := strings.CutPrefix(w.id, "fs ")
	switch query {
	case w.id, number:
		score += scoreID
	case w.commune:
		score += scoreCommune
	case w.postcode, w.department, w.departmentName:
		score += scorePlace
	}
	if strings.HasPrefix(w.name, query) || strings.HasPrefix(w.commune, query) {
		score += scoreBegins
	}
	return score
}

// begins says whether a word of text begins with word.
func begins(text, word string) bool {
	return strings.HasPrefix(text, word) || strings.Contains(text, " "+word)
}
