package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
)

// What stands on the log is what Confluent's registry writes and reads.
func TestRecordsAreConfluents(t *testing.T) {
	log := newMemoryLog()
	startNode(t, log).play(t, `
		POST /subjects/a/versions {"schema":"{\"type\":\"string\",\"x\":\"<&>\"}"}
		200 {"id":1}
		PUT /config/a {"compatibility":"FULL"}
		200 {"compatibility":"FULL"}
		PUT /config {"compatibility":"NONE"}
		200 {"compatibility":"NONE"}
		PUT /mode/a {"mode":"READWRITE"}
		200 {"mode":"READWRITE"}
		DELETE /subjects/a/versions/1
		200 1
		POST /subjects/a/versions {"schema":"\"int\""}
		200 {"id":2}
		DELETE /subjects/a
		200 [2]
		DELETE /subjects/a?permanent=true
		200 [1,2]
		DELETE /config
		200 {"compatibilityLevel":"NONE"}
	`)
	const want = `{"keytype":"SCHEMA","subject":"a","version":1,"magic":1} => {"subject":"a","version":1,"id":1,"schema":"{\"type\":\"string\",\"x\":\"<&>\"}","deleted":false}
{"keytype":"CONFIG","subject":"a","magic":0} => {"subject":"a","compatibilityLevel":"FULL"}
{"keytype":"CONFIG","magic":0} => {"compatibilityLevel":"NONE"}
{"keytype":"MODE","subject":"a","magic":0} => {"subject":"a","mode":"READWRITE"}
{"keytype":"SCHEMA","subject":"a","version":1,"magic":1} => {"subject":"a","version":1,"id":1,"schema":"{\"type\":\"string\",\"x\":\"<&>\"}","deleted":true}
{"keytype":"SCHEMA","subject":"a","version":2,"magic":1} => {"subject":"a","version":2,"id":2,"schema":"\"int\"","deleted":false}
{"keytype":"DELETE_SUBJECT","subject":"a","magic":0} => {"subject":"a","version":2}
{"keytype":"NOOP","magic":0} => {"maxId":2}
{"keytype":"SCHEMA","subject":"a","version":2,"magic":1} => gone
{"keytype":"SCHEMA","subject":"a","version":1,"magic":1} => gone
{"keytype":"MODE","subject":"a","magic":0} => gone
{"keytype":"CONFIG","subject":"a","magic":0} => gone
{"keytype":"CONFIG","magic":0} => gone
`
	if diff := cmp.Diff(want, log.text()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A log that another registry has written, of every age, is read.
func TestReadsTheLogOfOthers(t *testing.T) {
	log := newMemoryLog()
	add := func(key, value string) {
		e := entry{key: []byte(key), value: []byte(value)}
		if value == "" {
			e.value = nil
		}
		_, _ = log.Append(t.Context(), []entry{e})
	}
	add(`{"keytype":"NOOP","magic":0}`, "")
	add(`{"keytype":"CONFIG","subject":null,"magic":0}`, `{"compatibilityLevel":"FULL"}`)
	add(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":0}`, `{"subject":"a","version":1,"id":7,"schema":"\"string\""}`)
	add(`{"keytype":"SCHEMA","subject":"p","version":1,"magic":1}`, `{"subject":"p","version":1,"id":8,"md5":"x","schemaType":"PROTOBUF","references":[{"name":"n","subject":"s","version":1}],"metadata":{"properties":{}},"schema":"syntax","deleted":false}`)
	add(`{"magic":0,"keytype":"CONTEXT","tenant":"default","context":".x"}`, `{"tenant":"default","context":".x"}`)
	add(`{"keytype":"SCHEMA","subject":"a","version":0,"magic":1}`, `{}`)
	add(`{"keytype":"SCHEMA","subject":"a","version":2,"magic":2}`, `{"subject":"a","version":2,"id":9,"schema":"\"int\""}`)
	add(`{"keytype":"SCHEMA","subject":"a","version":2,"magic":1}`, `{"subject":"a","version":2,"id":-1,"schema":"\"int\""}`)
	add(`{"keytype":"SCHEMA","subject":"k","version":1,"magic":1}`, `{"subject":"k","version":1,"id":6,"schema":"\"bytes\"","deleted":true}`)
	_, _ = log.Append(t.Context(), []entry{{key: []byte(`{"keytype":"SCHEMA","subject":"k","version":1,"magic":1}`), value: []byte{}}}) // Karapace's tombstone
	add(`nonsense`, `nonsense`)
	add(``, ``)
	startNode(t, log).play(t, `
		GET /config
		200 {"compatibilityLevel":"FULL"}
		GET /subjects/a/versions/latest
		200 {"subject":"a","version":1,"id":7,"schema":"\"string\""}
		GET /subjects/k/versions?deleted=true
		404 {"error_code":40401,"message":"Subject 'k' not found."}
		GET /schemas/ids/8
		200 {"schemaType":"PROTOBUF","references":[{"name":"n","subject":"s","version":1}],"metadata":{"properties":{}},"schema":"syntax"}
		POST /subjects/p/versions {"schema":"\"int\""}
		409 {"error_code":409,"message":"Schema being registered is incompatible with an earlier schema for subject \"p\", details: [version 1 is not Avro that this registry can read, {compatibility: 'FULL'}]"}
		POST /subjects/q/versions {"schema":"\"int\""}
		200 {"id":9}
		DELETE /subjects/p/versions/1
		200 1
	`)
	if !strings.Contains(log.text(), `"id":8,"schema":"syntax","deleted":true,"schemaType":"PROTOBUF","references":[{"name":"n","subject":"s","version":1}],"metadata":{"properties":{}}}`) {
		t.Errorf("what another registry wrote was lost:\n%s", log.text())
	}
}

// A restart rebuilds the same from the log, compacted or not, and no id that was
// ever given comes again.
func TestRestart(t *testing.T) {
	const calls = `
		GET /subjects?deleted=true
		200 ["a","b"]
		GET /subjects/a/versions
		200 [1,3]
		GET /subjects/a/versions?deleted=true
		200 [1,2,3]
		GET /schemas/ids/1/versions
		200 [{"subject":"a","version":1},{"subject":"b","version":1}]
		GET /schemas/ids/4
		404 {"error_code":40403,"message":"Schema 4 not found"}
		GET /config/a
		200 {"compatibilityLevel":"NONE"}
		GET /mode/b
		200 {"mode":"READONLY"}
	`
	for name, prepare := range map[string]func(*memoryLog){
		"as it is":           func(*memoryLog) {},
		"compacted":          func(l *memoryLog) { l.compact(false) },
		"without tombstones": func(l *memoryLog) { l.compact(true) },
	} {
		t.Run(name, func(t *testing.T) {
			log := newMemoryLog()
			n := startNode(t, log)
			n.play(t, `
				PUT /config/a {"compatibility":"NONE"}
				200 {"compatibility":"NONE"}
				POST /subjects/a/versions {"schema":"\"string\""}
				200 {"id":1}
				POST /subjects/a/versions {"schema":"\"int\""}
				200 {"id":2}
				POST /subjects/a/versions {"schema":"\"long\""}
				200 {"id":3}
				POST /subjects/b/versions {"schema":"\"string\""}
				200 {"id":1}
				POST /subjects/c/versions {"schema":"\"boolean\""}
				200 {"id":4}
				DELETE /subjects/a/versions/2
				200 2
				DELETE /subjects/c
				200 [1]
				DELETE /subjects/c?permanent=true
				200 [1]
				PUT /mode/b {"mode":"READONLY"}
				200 {"mode":"READONLY"}
			`)
			n.play(t, calls)
			n.stop()
			prepare(log)
			n = startNode(t, log)
			n.play(t, calls+`
				POST /subjects/d/versions {"schema":"\"boolean\""}
				200 {"id":5}
			`)
		})
	}
}

// Registries on one log, each with many callers: every call is answered, one id
// means one schema everywhere, and a restart sees the same.
func TestRegistriesShareALog(t *testing.T) {
	log := newMemoryLog()
	nodes := []*node{startNode(t, log), startNode(t, log), startNode(t, log)}
	given := registerAtOnce(t, nodes, "s")
	log.compact(true)
	sameEverywhere(t, append(nodes, startNode(t, log)), log, given)
}

// registerAtOnce has many callers register at each node, some of them the same, and
// gives the schema of each id that was answered.
func registerAtOnce(t *testing.T, nodes []*node, prefix string) map[int]string {
	t.Helper()
	for i := range 4 {
		nodes[0].do("PUT", fmt.Sprintf("/config/%s%d", prefix, i), `{"compatibility":"NONE"}`)
	}
	var mu sync.Mutex
	given := map[int]string{}
	var wg sync.WaitGroup
	for i, n := range nodes {
		for caller := range 4 {
			wg.Go(func() {
				for j := range 10 {
					// Some schemas are everybody's, some subjects too.
					text := fmt.Sprintf(`{"type":"fixed","name":"F%d","namespace":%q,"size":1}`, (i+caller)%3*100+j, prefix)
					body, _ := json.Marshal(map[string]string{"schema": text})
					var answer struct{ ID int }
					got := n.do("POST", fmt.Sprintf("/subjects/%s%d/versions", prefix, (caller+j)%4), string(body))
					if err := json.Unmarshal([]byte(strings.TrimPrefix(got, "200 ")), &answer); err != nil || answer.ID == 0 {
						t.Errorf("got %s", got)
						continue
					}
					mu.Lock()
					if other, ok := given[answer.ID]; ok && other != text {
						t.Errorf("the id %d is %s and %s", answer.ID, other, text)
					}
					given[answer.ID] = text
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	return given
}

// sameEverywhere checks that all nodes, once they have read the whole log, have the
// schemas that were given, and that nothing is left to repair.
func sameEverywhere(t *testing.T, nodes []*node, log schemaLog, given map[int]string) {
	t.Helper()
	for _, n := range nodes {
		_, end, err := log.Bounds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := n.store.await(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		for id, text := range given {
			want, _ := schemas.ParseAvro(text)
			if got := n.do("GET", fmt.Sprintf("/schemas/ids/%d/schema", id), ""); got != "200 "+want.Canonical {
				t.Errorf("schema %d: %s, want %s", id, got, want.Canonical)
			}
		}
		n.store.read(func(s *state) {
			if len(s.spoilt) > 0 {
				t.Errorf("left to repair: %v", s.spoilt)
			}
		})
	}
}

// The one whose record comes second on the log gets another id, and the version
// that was first stays, also once the log is compacted.
func TestTheFirstRecordHasTheIDAndTheVersion(t *testing.T) {
	log := newMemoryLog()
	n := startNode(t, log)
	n.do("PUT", "/config", `{"compatibility":"NONE"}`)
	// Another registry is quicker by one record.
	log.before = func([]entry) {
		log.before = nil
		_, _ = log.Append(t.Context(), []entry{{
			key:   []byte(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`),
			value: []byte(`{"subject":"a","version":1,"id":1,"schema":"\"string\"","deleted":false}`),
		}})
	}
	n.play(t, `
		POST /subjects/a/versions {"schema":"\"int\""}
		200 {"id":2}
	`)
	log.compact(false)
	for _, n := range []*node{n, startNode(t, log)} {
		n.play(t, `
			GET /subjects/a/versions/1
			200 {"subject":"a","version":1,"id":1,"schema":"\"string\""}
			GET /subjects/a/versions/2
			200 {"subject":"a","version":2,"id":2,"schema":"\"int\""}
		`)
	}
}

// A record that lost and whose writer died is taken off the log by whoever writes
// next.
func TestAnOrphanedClaimIsTakenBack(t *testing.T) {
	log := newMemoryLog()
	claim := func(subject, schema string) {
		_, _ = log.Append(t.Context(), []entry{{
			key:   fmt.Appendf(nil, `{"keytype":"SCHEMA","subject":%q,"version":1,"magic":1}`, subject),
			value: fmt.Appendf(nil, `{"subject":%q,"version":1,"id":1,"schema":%q,"deleted":false}`, subject, schema),
		}})
	}
	claim("a", `"string"`)
	claim("b", `"int"`)
	n := startNode(t, log)
	n.play(t, `
		GET /subjects
		200 ["a"]
		POST /subjects/c/versions {"schema":"\"long\""}
		200 {"id":2}
	`)
	log.compact(true)
	if strings.Contains(log.text(), `"b"`) {
		t.Errorf("the claim is still there:\n%s", log.text())
	}
}

// What a registry writes gives way to what another one wrote after it had looked: a
// version that was given, in the place of a claim that is taken back, stays, and what was
// deleted stays deleted.
func TestAWriteUndoesNothingThatItHasNotSeen(t *testing.T) {
	for name, story := range map[string]struct{ claims, write, meanwhile, then string }{
		"a claim is taken back where a version is registered": {
			claims: `{"subject":"b","version":1,"id":1,"schema":"\"int\""}`,
			write:  `POST /subjects/c/versions {"schema":"\"long\""}`,
			meanwhile: `
				POST /subjects/b/versions {"schema":"\"boolean\""}
				200 {"id":2}
			`,
			then: `
				GET /subjects/b/versions/1
				200 {"subject":"b","version":1,"id":2,"schema":"\"boolean\""}
				GET /schemas/ids/2/schema
				200 "boolean"
			`,
		},
		"a version is said again where it is deleted": {
			claims: `{"subject":"a","version":1,"id":2,"schema":"\"int\""}`,
			write:  `POST /subjects/c/versions {"schema":"\"long\""}`,
			meanwhile: `
				DELETE /subjects/a/versions/1
				200 1
			`,
			then: `
				GET /subjects
				200 ["c"]
				GET /subjects/a/versions?deleted=true
				200 [1]
			`,
		},
		"a version is said again where its subject is deleted": {
			claims: `{"subject":"a","version":1,"id":2,"schema":"\"int\""}`,
			write:  `POST /subjects/c/versions {"schema":"\"long\""}`,
			meanwhile: `
				DELETE /subjects/a
				200 [1]
			`,
			then: `
				GET /subjects
				200 ["c"]
				GET /subjects/a/versions?deleted=true
				200 [1]
			`,
		},
		"a subject is deleted where it is made anew": {
			write: `DELETE /subjects/a`,
			meanwhile: `
				DELETE /subjects/a
				200 [1]
				DELETE /subjects/a?permanent=true
				200 [1]
				POST /subjects/a/versions {"schema":"\"boolean\""}
				200 {"id":2}
			`,
			then: `
				GET /subjects/a/versions/1
				200 {"subject":"a","version":1,"id":2,"schema":"\"boolean\""}
			`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := newMemoryLog()
			for _, value := range []string{`{"subject":"a","version":1,"id":1,"schema":"\"string\""}`, story.claims} {
				var at schemaValue
				if json.Unmarshal([]byte(value), &at) == nil {
					key, _ := encodeJSON(schemaKey(at.Subject, at.Version))
					_, _ = log.Append(t.Context(), []entry{{key: key, value: []byte(value)}})
				}
			}
			one, other := startNode(t, log), startNode(t, log)
			log.before = func([]entry) { // one has looked, and the other is quicker
				log.before = nil
				other.play(t, story.meanwhile)
			}
			method, rest, _ := strings.Cut(story.write, " ")
			path, body, _ := strings.Cut(rest, " ")
			if got := one.do(method, path, body); !strings.HasPrefix(got, "200") {
				t.Fatal(got)
			}
			one.do("PUT", "/config/d", `{"compatibility":"FULL"}`) // puts right what is left
			log.compact(true)
			for _, n := range []*node{one, other, startNode(t, log)} {
				if err := n.store.await(t.Context(), log.next); err != nil {
					t.Fatal(err)
				}
				n.play(t, story.then)
			}
		})
	}
}

// A write whose fate is unknown is told as such; repeated, it has one effect.
func TestUnknownFate(t *testing.T) {
	for name, lost := range map[string]bool{"written": false, "not written": true} {
		t.Run(name, func(t *testing.T) {
			log := newMemoryLog()
			n := startNode(t, log)
			log.mu.Lock()
			log.fail, log.lose = context.DeadlineExceeded, lost
			log.mu.Unlock()
			n.play(t, `
				POST /subjects/a/versions {"schema":"\"int\""}
				500 {"error_code":50002,"message":"The write to the schema log is not confirmed: ask again."}
			`)
			log.mu.Lock()
			log.fail, log.lose = nil, false
			log.mu.Unlock()
			n.play(t, `
				POST /subjects/a/versions {"schema":"\"int\""}
				200 {"id":1}
				GET /subjects/a/versions
				200 [1]
			`)
		})
	}
}

func TestWhenTheLogIsAtFault(t *testing.T) {
	log := newMemoryLog()
	n := startNode(t, log)
	log.mu.Lock()
	log.refer = errors.New("no leader")
	log.mu.Unlock()
	n.play(t, `
		POST /subjects/a/versions {"schema":"\"int\""}
		500 {"error_code":50001,"message":"The schema log cannot be written or read: try again."}
		GET /subjects
		200 []
	`)
}

// A write does not wait for ever for its own record.
func TestAWriteIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &deafLog{newMemoryLog()}
		n := newNode(log)
		n.store.advance(nil, 0, 0)
		start := time.Now()
		n.play(t, `
			POST /subjects/a/versions {"schema":"\"int\""}
			500 {"error_code":50002,"message":"The write to the schema log is not confirmed: ask again."}
		`)
		if took := time.Since(start); took != writeLimit {
			t.Errorf("took %s", took)
		}
	})
}

// deafLog is never read back.
type deafLog struct{ *memoryLog }

func TestBeforeTheLogIsReadNothingIsAnswered(t *testing.T) {
	newNode(newMemoryLog()).play(t, `
		GET /schemas/ids/1
		503 {"error_code":503,"message":"The registry is reading its log; try again in a moment."}
		POST /subjects/a/versions {"schema":"\"int\""}
		503 {"error_code":503,"message":"The registry is reading its log; try again in a moment."}
	`)
}

func TestAFullDiskClosesTheDoorForChangesOnly(t *testing.T) {
	n := startNode(t, newMemoryLog())
	n.host.Closed = func() string { return "The disk is full." }
	n.play(t, `
		POST /subjects/a/versions {"schema":"\"int\""}
		503 {"error_code":503,"message":"The disk is full."}
		GET /subjects
		200 []
	`)
}

// Whatever stands on the log: it is read to its end, and the same log gives the
// same state.
func FuzzRecords(f *testing.F) {
	for _, seed := range []struct{ key, value string }{
		{`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`, `{"subject":"a","version":1,"id":1,"schema":"\"int\"","deleted":false}`},
		{`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`, `{"subject":"a","version":1,"id":1,"schema":"\"int\"","deleted":true}`},
		{`{"keytype":"CONFIG","subject":"a","magic":0}`, `{"compatibilityLevel":"FULL"}`},
		{`{"keytype":"MODE","magic":0}`, `{"mode":"READONLY"}`},
		{`{"keytype":"DELETE_SUBJECT","subject":"a","magic":0}`, `{"subject":"a","version":3}`},
		{`{"keytype":"NOOP","magic":0}`, `{"maxId":2147483647}`},
		{`{"keytype":"CLEAR_SUBJECT","subject":"a","magic":0}`, `null`},
		{``, ``},
	} {
		f.Add([]byte(seed.key), []byte(seed.value), true)
	}
	f.Fuzz(func(t *testing.T, key, value []byte, twice bool) {
		s := newState()
		first := schemaRecord(schemaValue{Subject: "a", Version: 1, ID: 1, Schema: `"int"`})
		if err := s.apply(first, 0, 0); err != nil {
			t.Fatal(err)
		}
		r, err := decodeRecord(key, value)
		if err != nil {
			return
		}
		_ = s.apply(r, 1, 1)
		if twice {
			_ = s.apply(r, 2, 1)
		}
		// What is put right again stays so.
		for _, repair := range s.repairs(nil) {
			if err := s.apply(repair, 3, 3); err != nil {
				t.Fatalf("repair: %v", err)
			}
		}
		if len(s.spoilt) > 0 {
			t.Fatalf("left to repair: %v", s.spoilt)
		}
		for id, c := range s.contents {
			if c.id != id || c.uses != len(s.usesOf(id, liveAndDeleted)) || id > s.maxID {
				t.Fatalf("content %d has the id %d, %d uses, the highest id is %d", id, c.id, c.uses, s.maxID)
			}
		}
	})
}
