package officelist

import (
	"strings"

	"github.com/relais-fr/relais/services/internal/directory/territory"
)

// phone reads a national number of ten digits as E.164. The country code is that
// of the department overseas, where the same ten digits are dialled.
func (r *row) phone(cell, department string) string {
	if cell == "" {
		return ""
	}
	number := digits(cell)
	if rest, ok := cutCallingCode(cell, number); ok {
		number = "0" + strings.TrimPrefix(rest, "0")
	}
	if len(number) > 10 && len(number)%10 == 0 {
		r.add("phone_several")
		number = number[:10]
	}
	if len(number) == 9 && number[0] != '0' {
		r.add("phone_lost_zero")
		number = "0" + number
	}
	if len(number) != 10 || number[0] != '0' || number[1] == '0' {
		r.add("phone_bad")
		return ""
	}
	return "+" + territory.CallingCode(department) + number[1:]
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// cutCallingCode takes an international prefix away: +33 or 0033, or that of an
// overseas department.
func cutCallingCode(cell, number string) (national string, ok bool) {
	international, zeros := strings.CutPrefix(number, "00")
	if !zeros && !strings.HasPrefix(cell, "+") {
		return "", false
	}
	for _, code := range []string{"33", "590", "594", "596", "262", "508", "681", "687", "689"} {
		if rest, ok := strings.CutPrefix(international, code); ok {
			return rest, true
		}
	}
	return "", false
}
