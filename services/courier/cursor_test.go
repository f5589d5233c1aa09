package courier

import (
	"encoding/base64"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/services/internal/broker"
)

func TestCursorComesBackAsItWas(t *testing.T) {
	for name, c := range map[string]cursor{
		"nothing read":   newCursor(),
		"one partition":  {next: map[int]int64{7: 42}, given: broker.Numbers{3: 0, 11: 9_000_000_000}},
		"after a replay": {next: map[int]int64{7: 42}, given: broker.Numbers{3: 9}, replay: "0198f3c2-6a41-7c3e-9b1d-2f4c8a7e5d11", replayed: broker.Numbers{3: 4}},
		"largest offset": {next: map[int]int64{0: math.MaxInt64 - 1}, given: broker.Numbers{maxPartitions - 1: math.MaxInt64 - 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseCursor(c.encode("cnaf"), "cnaf")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c, got, cmp.AllowUnexported(cursor{})); diff != "" {
				t.Error("cursor (-want +got)\n" + diff)
			}
		})
	}
}

func TestCursorOfAllPartitionsFitsItsBound(t *testing.T) {
	c := newCursor()
	for p := range maxPartitions {
		c.next[p], c.given[p] = math.MaxInt64-1, math.MaxInt64-1
	}
	c.replay, c.replayed = strings.Repeat("r", maxReplay), c.given
	if n := len(c.encode("cnaf")); n > maxCursor {
		t.Errorf("a cursor can take %d bytes, more than the %d that are read", n, maxCursor)
	}
}

func TestHostileCursorsAreRefused(t *testing.T) {
	good := cursor{next: map[int]int64{0: 1, 1: 300}, given: broker.Numbers{0: 5}}.encode("cnaf")
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(f func(b []byte) []byte) string {
		return base64.RawURLEncoding.EncodeToString(f(append([]byte(nil), raw...)))
	}
	const lists = 1 + ownerBytes
	for name, text := range map[string]string{
		"not base64url":         "a+b/",
		"cut off":               good[:len(good)-2],
		"something behind it":   rewrite(func(b []byte) []byte { return append(b, 0) }),
		"another version":       rewrite(func(b []byte) []byte { b[0] = 1; return b }),
		"another participant's": cursor{next: map[int]int64{0: 1}}.encode("cnam"),
		"a huge count":          rewrite(func(b []byte) []byte { return append(b[:lists], 0xff, 0xff, 0xff, 0xff, 0x0f) }),
		"a number beyond 63 bits": rewrite(func(b []byte) []byte {
			return append(b[:lists], 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0)
		}),
		"a number in excess bytes": rewrite(func(b []byte) []byte { return append(b[:lists], 1, 0, 0x81, 0x00, 0) }),
		"partitions out of order":  rewrite(func(b []byte) []byte { return append(b[:lists], 2, 1, 1, 0, 1, 0) }),
		"a partition twice":        rewrite(func(b []byte) []byte { return append(b[:lists], 2, 1, 1, 1, 2, 0) }),
		"a partition too high":     rewrite(func(b []byte) []byte { return append(b[:lists], 1, 0xe8, 0x07, 1, 0) }),
		"a replay cut off":         rewrite(func(b []byte) []byte { return append(b, 5, 'a', 'b') }),
		"a replay without numbers": rewrite(func(b []byte) []byte { return append(b, 2, 'a', 'b') }),
		"too long":                 strings.Repeat("A", maxCursor+1),
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := parseCursor(text, "cnaf"); err == nil {
				t.Errorf("taken as %v", c)
			}
		})
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add("")
	f.Add(newCursor().encode("cnaf"))
	f.Add(cursor{next: map[int]int64{0: 1, 5: 1 << 40}, given: broker.Numbers{2: 77}}.encode("cnaf"))
	f.Add(cursor{next: map[int]int64{0: 1}, given: broker.Numbers{2: 77}, replay: "r", replayed: broker.Numbers{2: 5}}.encode("cnaf"))
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(text, "cnaf")
		if err != nil {
			return
		}
		if again := c.encode("cnaf"); again != text {
			t.Errorf("%q is read, and written as %q", text, again)
		}
	})
}
