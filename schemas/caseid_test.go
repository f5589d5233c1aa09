package schemas

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestCaseIDs(t *testing.T) {
	const uuid, bare = "0198f3c2-6a41-7c3e-9b1d-2f4c8a7e5d10", "0198f3c26a417c3e9b1d2f4c8a7e5d10"
	tests := []struct {
		name, in string
		want     CaseID
		ok       bool
	}{
		{"a UUID", uuid, CaseID{Dossier: uuid}, true},
		{"a UUID without hyphens", bare, CaseID{Dossier: bare}, true},
		{"a UUID in upper case", strings.ToUpper(uuid), CaseID{Dossier: strings.ToUpper(uuid)}, true},
		{"a participant's own", "cnaf.2026-118204", CaseID{Dossier: "cnaf.2026-118204", Owner: "cnaf"}, true},
		{"a participant's own with dots", "cnaf.56.118204", CaseID{Dossier: "cnaf.56.118204", Owner: "cnaf"}, true},
		{"a further case", uuid + "~rdv-1", CaseID{Dossier: uuid, Own: "rdv-1"}, true},
		{"a further case in a participant's own", "cnaf.118204~" + uuid, CaseID{Dossier: "cnaf.118204", Own: uuid, Owner: "cnaf"}, true},
		{"nothing", "", CaseID{}, false},
		{"a word", "dossier", CaseID{}, false},
		{"a UUID with a hyphen out of place", "0198f3c26-a41-7c3e-9b1d-2f4c8a7e5d10", CaseID{}, false},
		{"a UUID with another letter", "0198f3c2-6a41-7c3e-9b1d-2f4c8a7e5d1g", CaseID{}, false},
		{"a participant without its own", "cnaf.", CaseID{}, false},
		{"its own without a participant", ".118204", CaseID{}, false},
		{"a further case without its own", uuid + "~", CaseID{}, false},
		{"two further cases", uuid + "~a~b", CaseID{}, false},
		{"a space", "cnaf.118 204", CaseID{}, false},
		{"too long", "cnaf.1~" + strings.Repeat("x", 200), CaseID{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseCaseID(tt.in)
			if got != tt.want || (err == nil) != tt.ok {
				t.Errorf("ParseCaseID(%q) = %+v, %v", tt.in, got, err)
			}
			if err != nil && !errors.Is(err, ErrCaseID) {
				t.Errorf("error %v", err)
			}
			if err == nil && got.Dossier != Dossier(tt.in) {
				t.Errorf("dossier %q, but Dossier says %q", got.Dossier, Dossier(tt.in))
			}
		})
	}
}

func FuzzParseCaseID(f *testing.F) {
	for _, seed := range []string{"", "~", ".", "cnaf.1", "cnaf.1~2", "0198f3c26a417c3e9b1d2f4c8a7e5d10", "0198f3c2-6a41-7c3e-9b1d-2f4c8a7e5d10~fs-563.1", "a.b~c~d", "é.b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseCaseID(s)
		if err != nil {
			return
		}
		written := id.Dossier
		if id.Own != "" {
			written += "~" + id.Own
		}
		if written != s || id.Dossier != Dossier(s) || id.Owner != "" && !strings.HasPrefix(s, id.Owner+".") {
			t.Errorf("%q is read as %+v", s, id)
		}
	})
}

func TestReferencesAreRandomAndEasyToRead(t *testing.T) {
	seen := map[string]bool{}
	used := map[rune]bool{}
	for range 1000 {
		r, err := NewReference(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !ValidReference(r) || seen[r] {
			t.Fatalf("reference %q is not valid or was made before", r)
		}
		seen[r] = true
		for _, c := range r {
			used[c] = true
		}
	}
	if len(used) != len(ReferenceAlphabet)+1 {
		t.Errorf("%d characters are in use", len(used))
	}
}

func TestAReferenceIsNotMadeWithoutRandomness(t *testing.T) {
	if r, err := NewReference(bytes.NewReader([]byte{1, 2, 255, 3})); !errors.Is(err, io.EOF) || r != "" {
		t.Errorf("got %q, %v", r, err)
	}
}

func TestReferencesThatAreNone(t *testing.T) {
	for _, r := range []string{"", "7K3F92QD", "7K3F-92Q", "7K3F-92QDD", "7k3f-92qd", "7K3F 92QD", "7K3F-92Q0", "7K3F-92QI", "OOOO-OOOO"} {
		if ValidReference(r) {
			t.Errorf("%q is taken for a reference", r)
		}
	}
}
