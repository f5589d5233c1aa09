package shape

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// week is a day as schemas.Day is one: a number in Go, text in JSON.
type week int32

func (w week) String() string { return fmt.Sprintf("W%d", int32(w)) }

func (w *week) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "W%d", (*int32)(w))
	return err
}

type everything struct {
	Text    string    `json:"text"`
	Truth   bool      `json:"truth"`
	Number  int       `json:"number"`
	Long    int64     `json:"long"`
	Bytes   []byte    `json:"bytes"`
	Time    time.Time `json:"time"`
	Week    week      `json:"week"`
	List    []string  `json:"list"`
	Objects []inner   `json:"objects"`
	MaybeIt *bool     `json:"maybe_it,omitempty"`
	MaybeOn *week     `json:"maybe_on,omitempty"`
	MaybeSo []int64   `json:"maybe_so,omitempty"`
}

type inner struct {
	Code string `json:"code"`
}

func TestEveryKindIsReadBackAsItWasWritten(t *testing.T) {
	s := Of(reflect.TypeFor[everything]())
	want := everything{
		Text: "é\"", Truth: true, Number: -7, Long: 1 << 40, Bytes: []byte{0, 255}, Time: time.Date(2026, 5, 14, 9, 30, 0, 5e6, time.UTC),
		Week: 20, List: []string{"a", ""}, Objects: []inner{{"x"}, {"y"}}, MaybeIt: new(false), MaybeOn: new(week(21)),
	}
	const text = `{"text":"é\"","truth":true,"number":-7,"long":1099511627776,"bytes":"AP8=","time":"2026-05-14T09:30:00.005Z","week":"W20",` +
		`"list":["a",""],"objects":[{"code":"x"},{"code":"y"}],"maybe_it":false,"maybe_on":"W21"}`
	written := s.Append(nil, reflect.ValueOf(&want).Elem())
	if string(written) != text {
		t.Errorf("written as %s", written)
	}
	var got everything
	if err := s.Read(written, reflect.ValueOf(&got).Elem(), 2); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := s.Read(written, reflect.ValueOf(new(everything)).Elem(), 1); err == nil || err.Error() != "data.list: it has more than 1 elements" {
		t.Errorf("a list beyond its bound: %v", err)
	}
}

func TestNoShapeIsMadeOfWhatNoEventMayCarry(t *testing.T) {
	fields := make([]reflect.StructField, 65)
	for i := range fields {
		fields[i] = reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: reflect.TypeFor[string]()}
	}
	tests := map[string]struct {
		typ   reflect.Type
		fault string
	}{
		"a map":              {reflect.TypeFor[struct{ M map[string]string }](), "map[string]string"},
		"a fraction":         {reflect.TypeFor[struct{ F []float64 }](), "float64"},
		"a number of 32 bit": {reflect.TypeFor[struct{ N int32 }](), "int32"},
		"65 fields":          {reflect.StructOf(fields), "more than 64 fields"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), tt.fault) {
					t.Errorf("panic %v, want one with %q", p, tt.fault)
				}
			}()
			Of(tt.typ)
		})
	}
}
