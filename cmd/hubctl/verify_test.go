package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/ownlog"
	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
)

// kcatLine is a record as `kcat -C -J` prints it: bytes as they are, with escapes for
// quotes, backslashes and controls alone.
func kcatLine(topic string, partition int, offset int64, headers []schemas.Header, value []byte) string {
	var quoted []string
	for _, h := range headers {
		quoted = append(quoted, kcatText([]byte(h.Key)), kcatText(h.Value))
	}
	return fmt.Sprintf(`{"topic":"%s","partition":%d,"offset":%d,"tstype":"create","ts":1,"broker":0,"headers":[%s],"key":"k","payload":%s}`,
		topic, partition, offset, strings.Join(quoted, ","), kcatText(value))
}

func kcatText(b []byte) string {
	var s strings.Builder
	s.WriteByte('"')
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			s.WriteString("\\" + string(rune(c)))
		case c < ' ':
			fmt.Fprintf(&s, "\\u%04X", c)
		default:
			s.WriteByte(c)
		}
	}
	s.WriteByte('"')
	return s.String()
}

// account is a participant's log, on two partitions of two topics, and its two
// statements, in a folder.
type account struct {
	folder string
	lines  []string
	issued []statement.Issued
}

func newAccount(t *testing.T) *account {
	t.Helper()
	key, err := statement.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	a := &account{folder: t.TempDir()}
	h := func(key, value string) schemas.Header { return schemas.Header{Key: key, Value: []byte(value)} }
	var before *statement.Issued
	for number := int64(1); number <= 2; number++ {
		s := &schemas.StatementIssued{
			Participant: "cnaf", Number: number, SpanStart: time.Date(2026, 5, 14, int(number), 0, 0, 0, time.UTC),
			SpanEnd: time.Date(2026, 5, 14, int(number)+1, 0, 0, 0, time.UTC), Complete: true,
		}
		if before != nil {
			s.Predecessor, s.PredecessorHash = &before.ID, statement.Hash(before.StatementIssued)
		}
		for _, book := range []string{schemas.BookFrom, schemas.BookTo} {
			topic := "relais." + book + ".cnaf"
			position := schemas.StatementPosition{Book: book, Topic: topic}
			for p := range 2 {
				first, highest := int64(0), int64(-1)
				if before != nil {
					first, highest = statement.PositionOf(before.StatementIssued, book, topic, p)
				}
				r := statement.NewRange(book, topic, p, first, highest)
				for offset := first; offset < first+3; offset++ {
					headers := []schemas.Header{
						h("ce_id", fmt.Sprintf("%s-%d-%d", book, p, offset)), h("ce_source", "/participants/cnaf/sí"), h("ce_type", "t"),
						h("ce_subject", "cnaf.1"), h("ce_time", "2026-05-14T09:30:00Z"),
						h("ce_submittedpartition", strconv.Itoa(p)), h("ce_submittedoffset", strconv.FormatInt(offset*7, 10)),
					}
					value := []byte("\x00\x00\x00\x00\x01\xff\xfe\"\\\n" + strconv.FormatInt(offset, 10))
					e := statement.OnFrom(p, offset, headers, value)
					if book == schemas.BookTo {
						e, _ = statement.OnTo(p, offset, headers, value)
					}
					r.Take(e)
					a.lines = append(a.lines, kcatLine(topic, p, offset, headers, value))
				}
				closed, _ := r.Close()
				s.Ranges = append(s.Ranges, closed)
				position.Next, position.Highest = append(position.Next, r.Next()), append(position.Highest, r.Highest())
			}
			s.Positions = append(s.Positions, position)
		}
		key.Sign(s)
		a.issued = append(a.issued, statement.Issued{ID: statement.ID("cnaf", number), StatementIssued: s})
		before = &a.issued[len(a.issued)-1]
	}
	a.write(t, "keys.json", statement.KeyDocument{Keys: []statement.PublicKey{key.Public}})
	return a
}

func (a *account) write(t *testing.T, name string, v any) string {
	t.Helper()
	path := filepath.Join(a.folder, name)
	text, ok := v.(string)
	if !ok {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text = string(data)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// verify writes all files and runs the command.
func (a *account) verify(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	a.write(t, "log.ndjson", strings.Join(a.lines, "\n")+"\n")
	for _, s := range a.issued {
		a.write(t, fmt.Sprintf("statements/cnaf-%06d.json", s.Number), stated{s.ID, s.StatementIssued})
	}
	if args == nil {
		args = []string{"--keys", filepath.Join(a.folder, "keys.json"), "--log", filepath.Join(a.folder, "log.ndjson"), filepath.Join(a.folder, "statements")}
	}
	var out bytes.Buffer
	code = run(t.Context(), append([]string{"statement", "verify"}, args...), environment{
		out: &printer{w: &out}, err: &printer{w: &out}, lookup: func(string) (string, bool) { return "", false }, zone: time.UTC,
	})
	return code, out.String()
}

func TestADoctoredLogOrStatementIsDetected(t *testing.T) {
	swap := func(a *account, i, j int) { a.lines[i], a.lines[j] = a.lines[j], a.lines[i] }
	tests := []struct {
		name   string
		doctor func(t *testing.T, a *account)
		code   int
		want   string
	}{
		{"nothing was doctored", func(*testing.T, *account) {}, exitOK, "OK: cnaf, statements 1 to 2"},
		{"nothing was doctored, by counts", func(*testing.T, *account) {}, exitOK, "to        12 events agree"},
		{"a record is missing", func(_ *testing.T, a *account) { a.lines = append(a.lines[:7], a.lines[8:]...) }, exitFailed, "missing: relais.to.cnaf/0, offset 1, event 0-7"},
		{"a record was added", func(_ *testing.T, a *account) {
			a.lines = append(a.lines[:8], append([]string{strings.ReplaceAll(strings.ReplaceAll(a.lines[7], `"ce_submittedoffset","7"`, `"ce_submittedoffset","8"`), "to-0-1", "to-0-x")}, a.lines[8:]...)...)
		}, exitFailed, "extra: relais.to.cnaf/0, offset 1, event 0-8, id to-0-x"},
		{"content was changed", func(_ *testing.T, a *account) {
			a.lines[7] = strings.Replace(a.lines[7], `\n`, `\t`, 1)
			a.lines[7] = strings.Replace(a.lines[7], `\u000A`, `\u000B`, 1)
		}, exitFailed, "changed: relais.to.cnaf/0, offset 1, event 0-7, id to-0-1"},
		{"a subject was changed", func(_ *testing.T, a *account) { a.lines[2] = strings.Replace(a.lines[2], "cnaf.1", "cnaf.2", 1) }, exitFailed, "changed: relais.from.cnaf/0, offset 2, event 0-2, id from-0-2"},
		{"two records were swapped", func(_ *testing.T, a *account) { swap(a, 7, 8) }, exitFailed, "order: relais.to.cnaf/0, offset 1"},
		{"a wrong key", func(t *testing.T, a *account) {
			key, err := statement.NewKey()
			if err != nil {
				t.Fatal(err)
			}
			a.write(t, "keys.json", statement.KeyDocument{Keys: []statement.PublicKey{key.Public}})
		}, exitFailed, "the key that signed it is not among those given"},
		{"a doctored statement", func(_ *testing.T, a *account) { a.issued[1].Ranges[0].Events-- }, exitFailed, "its signature is wrong"},
		{"a statement left out", func(_ *testing.T, a *account) {
			a.issued = a.issued[1:]
			a.issued = append(a.issued, statement.Issued{})
			a.issued = a.issued[:1]
		}, exitOK, "statements 2 to 2"},
		{"another event id", func(_ *testing.T, a *account) { a.issued[0].ID = "other" }, exitFailed, "the chain is broken: it names another predecessor"},
		{"a log that is none", func(_ *testing.T, a *account) { a.lines[3] = `{"hello":"world"}` }, exitFailed, "line 4: it is neither a record"},
		{"a log that is no JSON", func(_ *testing.T, a *account) { a.lines[0] = "%!" }, exitFailed, "line 1: it is neither a record"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAccount(t)
			tt.doctor(t, a)
			code, said := a.verify(t)
			if code != tt.code || !strings.Contains(said, tt.want) {
				t.Errorf("code %d, want %d; want %q in:\n%s", code, tt.code, tt.want, said)
			}
		})
	}
}

func TestVerifyIsNotUnderstoodWithout(t *testing.T) {
	a := newAccount(t)
	for want, args := range map[string][]string{
		"--keys is missing":  {"--log", "x"},
		"give the log":       {"--keys", "x"},
		"no such file":       {"--keys", filepath.Join(a.folder, "nothing"), "--log", "x"},
		"it has no keys":     {"--keys", a.write(t, "bad.json", `{"keys":7}`), "--log", "x"},
		"it is no statement": {"--keys", filepath.Join(a.folder, "keys.json"), a.write(t, "x/bad.json", `[]`)},
		"no statement":       {"--keys", filepath.Join(a.folder, "keys.json"), "--log", a.write(t, "empty.ndjson", "\n")},
	} {
		if code, said := a.verify(t, args...); code == exitOK || !strings.Contains(said, want) {
			t.Errorf("code %d, want %q in: %s", code, want, said)
		}
	}
}

func FuzzOwnLog(f *testing.F) {
	f.Add([]byte(`{"topic":"relais.to.cnaf","partition":0,"offset":1,"headers":["ce_id","a"],"payload":"\u0000x"}`))
	f.Add([]byte(`{"place":"1-2","source":"s","id":"i"}`))
	f.Add([]byte(`{"specversion":"1.0","id":"a"}`))
	f.Fuzz(func(_ *testing.T, line []byte) {
		_ = ownlog.New().Read(bytes.NewReader(line))
	})
}

// TestSomebodyElseCanVerify checks a statement with a page of Python, written from the
// documentation of package statement alone.
func TestSomebodyElseCanVerify(t *testing.T) {
	python := cmp.Or(os.Getenv("RELAIS_PYTHON"), "python3")
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import cryptography").CombinedOutput(); err != nil {
		if slices.Contains(strings.Split(os.Getenv("RELAIS_REQUIRE"), ","), "python") {
			t.Fatalf("RELAIS_REQUIRE names python, but %s has no package cryptography: %v\n%s", python, err, out)
		}
		t.Skipf("NOT SHOWN: %s has no package cryptography", python)
	}
	a := newAccount(t)
	_, _ = a.verify(t)
	check := func() string {
		out, _ := exec.CommandContext(t.Context(), python, "testdata/verify.py", filepath.Join(a.folder, "keys.json"),
			filepath.Join(a.folder, "statements/cnaf-000002.json"), filepath.Join(a.folder, "log.ndjson")).CombinedOutput()
		return string(out)
	}
	if said := check(); said != "OK 12\n" {
		t.Errorf("got %q", said)
	}
	a.lines[12] = strings.Replace(a.lines[12], "cnaf.1", "cnaf.2", 1)
	_, _ = a.verify(t)
	if said := check(); said != "DIFFERENT from 0\n" {
		t.Errorf("got %q", said)
	}
}
