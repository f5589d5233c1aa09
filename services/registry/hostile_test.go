package registry

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Bounds on what one hostile request may cost. What has no bound takes far longer; the
// machine may be busy.
const (
	hostileTime   = 20 * time.Second
	hostileMemory = 256 << 20
)

// offered is the body that offers a schema.
func offered(schema string) string {
	text, _ := json.Marshal(map[string]string{"schema": schema})
	return string(text)
}

// many joins n texts.
func many(n int, text func(i int) string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = text(i)
	}
	return strings.Join(all, ",")
}

// Schemas that are made to cost something get the registry's own code for what is
// wrong, soon and without much memory, at each door that reads one.
func TestHostileSchemas(t *testing.T) {
	const invalid, large = `422 {"error_code":42201`, `422 {"error_code":42209`
	named := func(kind, rest string) func(int) string {
		return func(i int) string { return fmt.Sprintf(`{"type":%q,"name":"N%d",%s}`, kind, i, rest) }
	}
	nested := func(n int) string {
		return strings.Repeat(`{"type":"array","items":`, n) + `"int"` + strings.Repeat("}", n)
	}
	doubling := func(n int) string {
		text := `{"type":"record","name":"T0","fields":[]}`
		for i := 1; i < n; i++ {
			text = fmt.Sprintf(`{"type":"record","name":"T%d","fields":[{"name":"a","type":%s},{"name":"b","type":"T%d"}]}`, i, text, i-1)
		}
		return text
	}
	for name, test := range map[string]struct{ body, want string }{
		"a body of ten megabytes":                       {offered(`"` + strings.Repeat("x", 10<<20) + `"`), large},
		"a body of ten megabytes that never ends":       {`{"schema":"` + strings.Repeat(" ", 10<<20), large},
		"a schema of just over the bound":               {offered(`{"type":"fixed","name":"F","size":1,"doc":"` + strings.Repeat("x", 256<<10) + `"}`), large},
		"arrays in arrays, a hundred thousand deep":     {offered(strings.Repeat("[", 100_000)), large},
		"types in types, deeper than anybody needs":     {offered(nested(1000)), large},
		"a union of fifty thousand":                     {offered("[" + many(12_000, named("fixed", `"size":1`)) + "]"), large},
		"an enum of fifty thousand symbols":             {offered(`{"type":"enum","name":"E","symbols":[` + many(50_000, func(i int) string { return fmt.Sprintf(`"S%d"`, i) }) + `]}`), large},
		"a record of ten thousand fields":               {offered(`{"type":"record","name":"R","fields":[` + many(10_000, func(i int) string { return fmt.Sprintf(`{"name":"f%d","type":"int"}`, i) }) + `]}`), large},
		"a fixed of a gigabyte":                         {offered(`{"type":"fixed","name":"F","size":1073741824}`), large},
		"a fixed of more than any number":               {offered(`{"type":"fixed","name":"F","size":1e400}`), invalid},
		"a name as long as a page":                      {offered(`{"type":"record","name":"` + strings.Repeat("n", 4000) + `","fields":[]}`), invalid},
		"a name that climbs out of its folder":          {offered(`{"type":"record","name":"../../etc/passwd","fields":[]}`), invalid},
		"a name space that climbs":                      {offered(`{"type":"record","name":"R","namespace":"..","fields":[]}`), invalid},
		"a name with a line feed":                       {offered("{\"type\":\"record\",\"name\":\"R\\nlevel=ERROR\",\"fields\":[]}"), invalid},
		"a key that stands twice":                       {offered(`{"type":"fixed","name":"F","size":1,"size":2}`), invalid},
		"a name that is defined twice":                  {offered(`["null",{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"F","size":2}]`), invalid},
		"a type that rests on itself":                   {offered(`{"type":"array","items":{"type":"R"}}`), invalid},
		"a record whose default holds itself for ever":  {offered(`{"type":"record","name":"R","fields":[{"name":"r","type":"R","default":{}}]}`), invalid},
		"a default that is no value of its type":        {offered(`{"type":"record","name":"R","fields":[{"name":"n","type":"int","default":"many"}]}`), invalid},
		"bytes that are no UTF-8":                       {"{\"schema\":\"{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"F\\\",\\\"size\\\":1,\\\"doc\\\":\\\"\xff\xfe\\\"}\"}", invalid},
		"UTF-16":                                        {"\xff\xfe{\x00}\x00", invalid},
		"two schemas one after the other":               {offered(`"int" "string"`), invalid},
		"nothing at all":                                {offered(``), invalid},
		"a schema type with a line feed":                {`{"schema":"\"int\"","schemaType":"AV\nRO"}`, invalid},
		"a record that holds itself":                    {offered(`{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}`), "200 "},
		"a record that only holds itself":               {offered(`{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}`), "200 "},
		"a record twice in each, thirty times":          {offered(doubling(15)), "200 "},
		"a thousand types that a reader might confound": {offered("[" + many(1000, named("record", `"aliases":["A"],"fields":[]`)) + "]"), "200 "},
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, newMemoryLog())
			n.do("POST", "/subjects/s/versions", offered(`["null","int"]`))
			n.do("PUT", "/config/s", `{"compatibility":"NONE"}`)
			for _, door := range []string{"/subjects/s/versions", "/subjects/s", "/compatibility/subjects/s/versions", "/compatibility/subjects/s/versions/latest?normalize=true"} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				begun := time.Now()
				got := n.do("POST", door, test.body)
				took := time.Since(begun)
				runtime.ReadMemStats(&after)
				if !strings.HasPrefix(got, test.want) && (test.want != "200 " || strings.HasPrefix(got, "5")) {
					t.Errorf("%s: %.200s", door, got)
				}
				if cost := after.TotalAlloc - before.TotalAlloc; took > hostileTime || cost > hostileMemory {
					t.Errorf("%s took %s and %d MB", door, took, cost>>20)
				}
				if strings.Contains(got, "\n") || len(got) > 32<<10 && test.want != "200 " {
					t.Errorf("%s answers %d bytes: %.200q", door, len(got), got)
				}
			}
		})
	}
}

// Two schemas that are each within the bounds may be costly to compare: that ends
// soon too.
func TestHostilePairs(t *testing.T) {
	chain := func(letter string, n int) string {
		text := `"int"`
		for i := range n {
			text = fmt.Sprintf(`{"type":"record","name":"%s%d","aliases":["X"],"fields":[{"name":"a","type":["null",%s]},{"name":"b","type":"int"}]}`, letter, i, text)
		}
		return text
	}
	union := func(letter string) string {
		return "[" + many(1500, func(i int) string {
			return fmt.Sprintf(`{"type":"record","name":"%s%d","aliases":["Z%d"],"fields":[]}`, letter, i, i)
		}) + "]"
	}
	for name, pair := range map[string][2]string{
		"records in records of other names": {chain("A", 12), chain("B", 12)},
		"unions of records of other names":  {union("A"), union("B")},
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, newMemoryLog())
			if got := n.do("POST", "/subjects/s/versions", offered(pair[0])); !strings.HasPrefix(got, "200") {
				t.Fatalf("%.300s", got)
			}
			n.do("PUT", "/config/s", `{"compatibility":"FULL_TRANSITIVE"}`)
			begun := time.Now()
			if got := n.do("POST", "/subjects/s/versions", offered(pair[1])); !strings.HasPrefix(got, "409") || len(got) > 32<<10 {
				t.Errorf("%d bytes: %.300s", len(got), got)
			}
			if took := time.Since(begun); took > 2*hostileTime {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// Names of subjects that mean something to a file system, a log or a mux mean nothing
// here: each is kept as it is, or refused.
func TestHostileSubjects(t *testing.T) {
	n := startNode(t, newMemoryLog())
	for _, subject := range []string{
		"../../etc/passwd", "..", ".", "a/../b", "//", "%2e%2e%2f", "a?b#c", "a\nlevel=ERROR msg=x", "a\x00", "a\xff", "\u202egpj.exe", "{}", ":.ctx:", ":*:", strings.Repeat("s", 5000), "__EMPTY", "<script>", " ",
	} {
		request := httptest.NewRequest("POST", "/", strings.NewReader(offered(`"int"`)))
		request.URL = &url.URL{Path: "/subjects/" + subject + "/versions", RawPath: "/subjects/" + url.PathEscape(subject) + "/versions"}
		w := httptest.NewRecorder()
		n.mux.ServeHTTP(w, request)
		got := fmt.Sprintf("%d %s", w.Code, w.Body)
		switch {
		case w.Code == 200:
			if back := n.do("GET", "/subjects/"+url.PathEscape(subject)+"/versions", ""); back != "200 [1]" {
				t.Errorf("%q is taken, and then %s", subject, back)
			}
		case strings.HasPrefix(got, `422 {"error_code":42208`), w.Code == 307, w.Code == 301, w.Code == 404:
		default:
			t.Errorf("%q: %.200s", subject, got)
		}
	}
}

// Whatever is sent to whatever subject: the answer is JSON, soon, with a code of the
// registry's own, and never that of a fault of ours.
func FuzzRegister(f *testing.F) {
	for _, body := range []string{
		offered(`"int"`), offered(`["null","int"]`), offered(`{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"],"default":null}]}`),
		offered(`{"type":"enum","name":"E","symbols":["A"],"default":"A"}`), offered(`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`),
		`{"schema":"\"int\"","schemaType":"AVRO","references":[],"metadata":{},"ruleSet":null,"id":-1,"version":1}`, `{"schema":"\ud800"}`, `[]`, `null`, ``,
	} {
		f.Add("s", body, true)
	}
	f.Fuzz(func(t *testing.T, subject, body string, normalize bool) {
		n := startNode(t, newMemoryLog())
		escaped := url.PathEscape(subject)
		if escaped == "" || escaped == "." || escaped == ".." {
			return
		}
		for _, path := range []string{"/subjects/" + escaped + "/versions", "/compatibility/subjects/" + escaped + "/versions", "/subjects/" + escaped} {
			got := n.do("POST", fmt.Sprintf("%s?normalize=%v", path, normalize), body)
			status, answer, _ := strings.Cut(got, " ")
			if strings.HasPrefix(status, "3") {
				return // the mux cleans the path
			}
			if strings.HasPrefix(status, "5") || !json.Valid([]byte(answer)) {
				t.Fatalf("%s: %.300s", path, got)
			}
		}
	})
}
