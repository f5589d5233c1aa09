package avro

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// javaPairs is how many pairs of schemas Java's Avro and we are both asked about.
const javaPairs = 3000

// TestJavaSaysTheSame asks Avro's Java library about random pairs of a reader's and a
// writer's schema, mostly near each other: both say the same, but for logical types,
// which it does not compare. It is skipped without the library, and fails where
// RELAIS_REQUIRE names avro-java.
func TestJavaSaysTheSame(t *testing.T) {
	jars := javaAvro(t)
	random := rand.New(rand.NewPCG(2026, 1123))
	var pairs [][2]string
	var lines bytes.Buffer
	for range javaPairs {
		g := &schemaMaker{random: random, named: map[string]bool{}}
		writer := g.record(3)
		reader := g.change(writer)
		pair := [2]string{jsonOf(t, reader), jsonOf(t, writer)}
		pairs = append(pairs, pair)
		fmt.Fprintf(&lines, "%s\t%s\n", pair[0], pair[1])
	}
	cmd := exec.CommandContext(t.Context(), "java", "-cp", filepath.Join(jars, "*"), "testdata/java/Compare.java")
	cmd.Stdin = &lines
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("java: %v", err)
	}
	answers := strings.Split(strings.TrimSpace(string(said)), "\n")
	if len(answers) != len(pairs) {
		t.Fatalf("%d answers to %d pairs", len(answers), len(pairs))
	}
	count := map[string]int{}
	for i, pair := range pairs {
		ours := "reads"
		found, err := CheckCompatibility(pair[0], pair[1])
		switch {
		case err != nil:
			ours = "no schema"
		case len(found) > 0:
			ours = "does not read"
		}
		theirs, why, _ := strings.Cut(answers[i], ":")
		count[theirs]++
		if ours != theirs {
			t.Errorf("reader %s\nwriter %s\nwe say %s %v %v, Java %s%s", pair[0], pair[1], ours, found, err, theirs, why)
		}
	}
	t.Logf("of %d pairs: %v", len(pairs), count)
	if count["reads"] < javaPairs/10 || count["does not read"] < javaPairs/10 {
		t.Errorf("the pairs say too little: %v", count)
	}
}

// javaAvro is the folder of the library's jars. They are fetched by Maven where they
// are required.
func javaAvro(t *testing.T) string {
	required := slices.Contains(strings.Split(os.Getenv("RELAIS_REQUIRE"), ","), "avro-java")
	lacking := func(why string) {
		t.Helper()
		if required {
			t.Fatalf("RELAIS_REQUIRE names avro-java, but %s", why)
		}
		t.Skip("NOT SHOWN: " + why)
	}
	if _, err := exec.LookPath("java"); err != nil {
		lacking("java is not installed")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		lacking(err.Error())
	}
	jars := filepath.Join(cache, "relais", "avro-1.12.1")
	if _, err := os.Stat(filepath.Join(jars, "avro-1.12.1.jar")); err == nil {
		return jars
	}
	if !required {
		lacking("Avro's Java library is not in " + jars + "; RELAIS_REQUIRE=avro-java has Maven fetch it")
	}
	fetch := exec.CommandContext(t.Context(), "mvn", "-q", "-B", "-f", "testdata/java/pom.xml", "dependency:copy-dependencies", "-DoutputDirectory="+jars)
	if out, err := fetch.CombinedOutput(); err != nil {
		lacking(fmt.Sprintf("Maven cannot fetch the library: %v\n%s", err, out))
	}
	return jars
}

func jsonOf(t *testing.T, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// schemaMaker makes random schemas. Every named type has a name of its own.
type schemaMaker struct {
	random *rand.Rand
	named  map[string]bool
}

var primitives = []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}

func (g *schemaMaker) name(kind string) string {
	name := fmt.Sprintf("%s%d", kind, len(g.named))
	g.named[name] = true
	return name
}

func (g *schemaMaker) record(depth int) map[string]any {
	record := map[string]any{"type": "record", "name": g.name("R")}
	fields := []any{}
	for i := range 1 + g.random.IntN(4) {
		fields = append(fields, g.field(fmt.Sprintf("f%d", i), depth-1))
	}
	record["fields"] = fields
	return record
}

func (g *schemaMaker) field(name string, depth int) map[string]any {
	field := map[string]any{"name": name, "type": g.typ(depth)}
	if g.random.IntN(3) == 0 {
		field["type"], field["default"] = "long", g.random.IntN(9)
	}
	return field
}

func (g *schemaMaker) typ(depth int) any {
	kind := g.random.IntN(12)
	if depth <= 0 {
		kind %= 7
	}
	switch kind {
	case 7:
		return map[string]any{"type": "array", "items": g.typ(depth - 1)}
	case 8:
		return map[string]any{"type": "map", "values": g.typ(depth - 1)}
	case 9:
		return g.record(depth)
	case 10:
		return g.union(depth)
	case 5:
		return map[string]any{"type": "fixed", "name": g.name("F"), "size": 1 + g.random.IntN(3)}
	case 6:
		enum := map[string]any{"type": "enum", "name": g.name("E"), "symbols": []string{"A", "B", "C"}[:1+g.random.IntN(3)]}
		if g.random.IntN(3) == 0 {
			enum["default"] = "A"
		}
		return enum
	}
	return primitives[g.random.IntN(len(primitives))]
}

func (g *schemaMaker) union(depth int) any {
	branches := []any{}
	seen := map[string]bool{}
	for range 1 + g.random.IntN(4) {
		branch := g.typ(min(depth-1, 1))
		key := jsonOfKind(branch)
		if _, nested := branch.([]any); nested || seen[key] {
			continue
		}
		seen[key] = true
		branches = append(branches, branch)
	}
	if len(branches) == 0 {
		return []any{"null"}
	}
	return branches
}

// jsonOfKind is what no two branches of a union may share.
func jsonOfKind(branch any) string {
	object, ok := branch.(map[string]any)
	if !ok {
		return fmt.Sprint(branch)
	}
	if name, ok := object["name"].(string); ok {
		return name
	}
	return object["type"].(string)
}

// change gives a schema a few changes, wherever they fall.
func (g *schemaMaker) change(t any) any {
	switch t := t.(type) {
	case string:
		if g.random.IntN(6) == 0 {
			return primitives[g.random.IntN(len(primitives))]
		}
		return t
	case []any:
		return g.changeUnion(t)
	case map[string]any:
		return g.changeObject(t)
	}
	return t
}

func (g *schemaMaker) changeUnion(t []any) any {
	branches := []any{}
	seen := map[string]bool{}
	for _, branch := range append(slices.Clone(t), "string") {
		branch = g.change(branch)
		if key := jsonOfKind(branch); !seen[key] && g.random.IntN(8) > 0 {
			seen[key] = true
			branches = append(branches, branch)
		}
	}
	if len(branches) == 0 {
		return []any{"null"}
	}
	return branches
}

func (g *schemaMaker) changeObject(t map[string]any) any {
	object := maps.Clone(t)
	for _, inner := range []string{"items", "values"} {
		if of, ok := object[inner]; ok {
			object[inner] = g.change(of)
		}
	}
	if symbols, ok := object["symbols"].([]string); ok && g.random.IntN(4) == 0 {
		object["symbols"] = append(slices.Clone(symbols), "Z")[:1+g.random.IntN(len(symbols)+1)]
	}
	if _, ok := object["size"]; ok && g.random.IntN(6) == 0 {
		object["size"] = 4
	}
	if name, ok := object["name"].(string); ok && g.random.IntN(12) == 0 {
		object["name"] = name + "x"
		if g.random.IntN(2) == 0 {
			object["aliases"] = []string{name}
		}
	}
	if fields, ok := object["fields"].([]any); ok {
		object["fields"] = g.changeFields(fields)
	}
	return object
}

func (g *schemaMaker) changeFields(fields []any) []any {
	changed := []any{}
	for _, f := range fields {
		field := maps.Clone(f.(map[string]any))
		switch g.random.IntN(10) {
		case 0:
			continue
		case 1:
			name := field["name"].(string)
			field["name"], field["aliases"] = name+"x", []string{name}
		}
		if _, ok := field["default"]; !ok {
			field["type"] = g.change(field["type"])
		}
		changed = append(changed, field)
	}
	if g.random.IntN(5) == 0 {
		changed = append(changed, g.field("more", 1))
	}
	return changed
}
