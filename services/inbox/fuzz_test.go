package inbox

import (
	"net/url"
	"testing"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/directory"
)

// FuzzForms lets every action read whatever a browser may send: it makes an event
// of its own type, which is then judged, or says what is wrong with a field.
func FuzzForms(f *testing.F) {
	f.Add("service=cnaf+logement%2Fapl&text=Bonjour", false)
	f.Add("starts=2026-05-20T10%3A00&ends=x&mode=phone&old_starts=-1", true)
	f.Add("items=a&items=b&due=0000-00-00&answered=%FF", true)
	f.Add("day=2026-02-30&themes=1&themes=2&group_size=99999999999999999999", false)
	all := actions()
	f.Fuzz(func(t *testing.T, body string, on bool) {
		values, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		for _, a := range all {
			in := &input{Values: values, office: directory.Office{ID: "demo-1"}, zone: time.UTC}
			if on {
				in.of = &desk.Case{ID: "cnaf.1", From: "cnaf", To: "demo-1", Child: "cnaf.1~c", Competent: "cnam"}
			}
			payload := a.payload(in)
			if schemas.TypeOf(payload) != a.event {
				t.Errorf("%s made %T", a.name, payload)
			}
			_ = schemas.Validate(payload)
		}
	})
}

// FuzzStreamID reads back what it takes, and nothing else.
func FuzzStreamID(f *testing.F) {
	f.Add("3-1042")
	f.Add("3--1")
	f.Add("3-+5")
	f.Add("33-9223372036854775808")
	f.Fuzz(func(t *testing.T, id string) {
		offset, ok := parseStreamID(id, 3)
		if ok && streamID(3, offset) != id {
			t.Errorf("%q was read as %d", id, offset)
		}
	})
}
