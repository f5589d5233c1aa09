package uses

import (
	"fmt"
	"testing"
)

func TestUsesAreCountedApart(t *testing.T) {
	table := New()
	key := Key{Participant: "cnaf", Channel: "kafka", Type: "T", Schema: 7}
	table.Note(key)
	table.Note(key)
	table.Note(Key{Participant: "cnav", Channel: "http", Type: "T"})
	all := table.Tell(func(string) bool { return true })
	if len(all.Uses) != 2 || all.Uses[0].Key != key || all.Uses[0].Count != 2 || all.Uses[1].Participant != "cnav" {
		t.Errorf("got %+v", all)
	}
	if own := table.Tell(func(p string) bool { return p == "cnav" }); len(own.Uses) != 1 {
		t.Errorf("cnav sees %+v", own)
	}
}

// Whoever sends ever new ids makes no table without end.
func TestUsesAreBounded(t *testing.T) {
	table := New()
	for i := range maxUses + 5 {
		table.Note(Key{Participant: fmt.Sprint(i)})
	}
	if a := table.Tell(func(string) bool { return true }); len(a.Uses) != maxUses || a.Untold != 5 {
		t.Errorf("%d uses, %d untold", len(a.Uses), a.Untold)
	}
}
