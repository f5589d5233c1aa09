package schemas

import "testing"

func TestADoorIsReadAsItIsWritten(t *testing.T) {
	for _, want := range []Door{{}, {Topic: "from.cnaf", Partition: 2, Offset: 1041}, {Topic: "from.offices"}} {
		if got, err := ParseDoor(want.String()); err != nil || got != want {
			t.Errorf("%s is read as %+v, %v", want, got, err)
		}
	}
	for _, s := range []string{"", "HTTP", "from.cnaf", "from.cnaf/2", "from.cnaf/2/", "from.cnaf/-1/3", "from.cnaf/02/3", "/2/3", "from.cnaf/2/3/4"} {
		if got, err := ParseDoor(s); err == nil {
			t.Errorf("%q is read as %+v", s, got)
		}
	}
}
