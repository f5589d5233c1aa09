package desk_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
)

func TestNoSealedPartStaysInTheDataOfALine(t *testing.T) {
	for _, entry := range schemas.Catalogue() {
		if entry.Kind != schemas.KindReferral && entry.Kind != schemas.KindAppointment {
			continue
		}
		t.Run(entry.Name, func(t *testing.T) {
			s := &story{t: t}
			line := s.happens("cnaf", referral, entry.Example).Entry
			if strings.Contains(string(line.Data), "sealed") && !strings.Contains(string(line.Data), `"sealed":null`) {
				t.Errorf("sealed bytes in %s", line.Data)
			}
			field := reflect.ValueOf(entry.Example).Elem().FieldByName("Sealed")
			if field.IsValid() && field.Len() != line.Sealed {
				t.Errorf("%d sealed bytes, %d in the line", field.Len(), line.Sealed)
			}
			if line.Data == nil {
				t.Error("the line says nothing")
			}
		})
	}
}

func TestALongTextIsShortenedBetweenLetters(t *testing.T) {
	s := &story{t: t}
	sealed := []byte("a" + strings.Repeat("é", desk.MaxText))
	line := s.happens("cnaf", referral, &schemas.MessagePosted{Audience: "all", Sealed: sealed}).Entry
	if len(line.Text) > desk.MaxText || len(line.Text) < desk.MaxText-4 || !utf8.ValidString(line.Text) || line.Sealed != len(sealed) {
		t.Errorf("%d bytes of %d kept, valid %v", len(line.Text), line.Sealed, utf8.ValidString(line.Text))
	}
	line = s.happens("cnaf", referral, &schemas.MessagePosted{Audience: "all", Sealed: []byte{0xff, 0xfe}}).Entry
	if line.Text != "" || line.Sealed != 2 {
		t.Errorf("bytes that are no text: %+v", line)
	}
}
