package ledger

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fill gives every field that v holds a value of its own, so that a field which
// encode forgets is noticed.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field, n)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte{0, byte(*n), 0xff})
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(int64(*n) << 40 >> 20 * int64(1-2*(*n%2)))
	}
}

func full() *dossier {
	d, n := new(dossier), 0
	fill(reflect.ValueOf(d).Elem(), &n)
	d.Seen[2].Source = d.Seen[0].Source
	return d
}

func TestEveryFieldOfADossierIsStored(t *testing.T) {
	d := full()
	d.Cases[1] = kase{ID: "alone", SenderOffice: true, Since: -1}
	d.Cases[2].RecipientOffice = false
	back, err := decodeDossier(d.encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, back); diff != "" {
		t.Errorf("(-stored +read):\n%s", diff)
	}
}

func TestWhatIsNoDossierIsNotRead(t *testing.T) {
	data := full().encode()
	for n := 1; n < len(data); n++ {
		if d, err := decodeDossier(data[:n]); err == nil {
			t.Fatalf("the first %d bytes of %d were read as %+v", n, len(data), d)
		}
	}
	if _, err := decodeDossier(append(data, 0)); err == nil {
		t.Error("a byte too many was not noticed")
	}
	for _, hostile := range []string{"\x02\x02\x02\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x02\x02\x02\x00\x02\x08", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if _, err := decodeDossier([]byte(hostile)); err == nil {
			t.Errorf("%q was read", hostile)
		}
	}
}
