package main

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
)

func TestANewKeyComesWithItsHash(t *testing.T) {
	var told [2]string
	for i := range told {
		var out, errs strings.Builder
		env := environment{out: &printer{w: &out}, err: &printer{w: &errs}, lookup: func(string) (string, bool) { return "", false }}
		if code := run(t.Context(), []string{"key", "new"}, env); code != exitOK {
			t.Fatalf("code %d: %s", code, errs.String())
		}
		told[i] = out.String()
	}
	m := regexp.MustCompile(`^key +(rk_[A-Za-z0-9_-]{43})\n--admin-key-hash +([0-9a-f]{64})\n$`).FindStringSubmatch(told[0])
	if m == nil {
		t.Fatalf("told %q", told[0])
	}
	if sum := sha256.Sum256([]byte(m[1])); hex.EncodeToString(sum[:]) != m[2] {
		t.Errorf("the hash of %s is not %s", m[1], m[2])
	}
	if told[0] == told[1] {
		t.Error("two keys are one")
	}
}
