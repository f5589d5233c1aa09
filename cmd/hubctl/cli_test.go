package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what is there now into testdata")

// story is a file of testdata: calls of hubctl, what the hub answers, and what is
// then to be seen.
//
//	-- call --                 the arguments, one a line
//	-- stdin --                standard input; it is a terminal if it is there
//	-- file NAME --            a file of the folder $DIR
//	-- answer POST /path 200 application/json --
//	                           what the hub answers there, header lines first
//	-- asked --                what it was asked, in order
//	-- stdout --, -- stderr --, -- code --
type story struct {
	archive *txtar.Archive
	dir     string
	args    []string
	stdin   *string
	answers []canned
	asked   strings.Builder
}

type canned struct {
	method, path string
	status       int
	header       http.Header
	body         string
}

func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := readStory(t, archive)
			got := s.tell(t)
			if *update {
				if err := os.WriteFile(file, txtar.Format(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(got))); diff != "" {
				t.Error("story (-want +got)\n" + diff)
			}
		})
	}
}

func readStory(t *testing.T, archive *txtar.Archive) *story {
	s := &story{archive: archive, dir: t.TempDir()}
	for _, f := range archive.Files {
		name, data := strings.Fields(f.Name), string(f.Data)
		switch name[0] {
		case "call":
			s.args = strings.Split(strings.TrimSpace(strings.ReplaceAll(data, "$DIR", s.dir)), "\n")
		case "stdin":
			s.stdin = &data
		case "file":
			if err := os.WriteFile(filepath.Join(s.dir, name[1]), f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		case "answer":
			s.answers = append(s.answers, readAnswer(t, name[1:], data))
		}
	}
	return s
}

func readAnswer(t *testing.T, name []string, data string) canned {
	a := canned{method: name[0], path: name[1], header: http.Header{"Content-Type": {name[3]}}, body: data}
	var err error
	if a.status, err = strconv.Atoi(name[2]); err != nil {
		t.Fatal(err)
	}
	for {
		line, rest, _ := strings.Cut(a.body, "\n")
		key, value, ok := strings.Cut(line, ": ")
		if !ok || !strings.HasPrefix(key, "Relais-") {
			return a
		}
		a.header.Set(key, value)
		a.body = rest
	}
}

// tell makes the call, and gives the story with what was seen.
func (s *story) tell(t *testing.T) *txtar.Archive {
	hub := httptest.NewServer(http.HandlerFunc(s.answer))
	defer hub.Close()
	var out, errs strings.Builder
	env := environment{
		in: strings.NewReader(""), out: &printer{w: &out}, err: &printer{w: &errs}, zone: time.FixedZone("CEST", 2*60*60),
		lookup: func(key string) (string, bool) { return hub.URL, key == "RELAIS_HUB" || key == "RELAIS_REGISTRY_URL" },
	}
	if s.stdin != nil {
		env.in, env.answers = strings.NewReader(*s.stdin), true
	}
	code := run(t.Context(), s.args, env)
	plain := strings.NewReplacer(hub.URL, "http://hub", s.dir, "$DIR").Replace
	seen := map[string]string{
		"asked": s.asked.String(), "stdout": plain(out.String()), "stderr": plain(errs.String()), "code": fmt.Sprintln(code),
	}
	got := &txtar.Archive{Comment: s.archive.Comment}
	for _, f := range s.archive.Files {
		if _, ok := seen[f.Name]; !ok {
			got.Files = append(got.Files, f)
		}
	}
	for _, name := range []string{"asked", "stdout", "stderr", "code"} {
		if seen[name] != "" {
			got.Files = append(got.Files, txtar.File{Name: name, Data: []byte(seen[name])})
		}
	}
	return got
}

// answer gives the canned answers in turn, each once, the last one of a door for
// ever.
func (s *story) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(&s.asked, "%s %s %s", r.Method, r.URL.RequestURI(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	for _, name := range []string{"Prefer", "Content-Type"} {
		if v := r.Header.Get(name); v != "" {
			fmt.Fprintf(&s.asked, " %s", v)
		}
	}
	fmt.Fprintf(&s.asked, "\n%s", body)
	if len(body) > 0 && body[len(body)-1] != '\n' {
		s.asked.WriteByte('\n')
	}
	for i, a := range s.answers {
		if a.method != r.Method || a.path != r.URL.RequestURI() {
			continue
		}
		for _, later := range s.answers[i+1:] {
			if later.method == a.method && later.path == a.path {
				s.answers = append(s.answers[:i:i], s.answers[i+1:]...)
				break
			}
		}
		maps.Copy(w.Header(), a.header)
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, `{"title":"There is nothing here.","code":"not_found","remedy":"Check the address."}`)
}

func TestEveryCommandExplainsItself(t *testing.T) {
	var got strings.Builder
	for _, args := range [][]string{{"help"}, {"directory", "help"}} {
		explain(t, &got, args)
	}
	for _, cmd := range commands() {
		explain(t, &got, append(strings.Fields(cmd.name), "--help"))
	}
	const file = "testdata/help.golden"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error("help (-want +got)\n" + diff)
	}
}

func explain(t *testing.T, to *strings.Builder, args []string) {
	t.Helper()
	fmt.Fprintf(to, "$ hubctl %s\n", strings.Join(args, " "))
	if code := run(t.Context(), args, quiet(to)); code != exitOK {
		t.Errorf("hubctl %v: exit code %d", args, code)
	}
	to.WriteString("\n")
}

func quiet(out io.Writer) environment {
	return environment{in: strings.NewReader(""), out: &printer{w: out}, err: &printer{w: out}, zone: time.UTC, lookup: func(string) (string, bool) { return "", false }}
}

func TestCallsThatAreNotUnderstood(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"", "Commands:"},
		{"submitt", `no command "submitt"`},
		{"help submitt", `no command "submitt"`},
		{"directory", "directory import"},
		{"directory remove", "directory import"},
		{"submit --no-such-flag", "not defined: -no-such-flag"},
		{"submit", "--type is missing"},
		{"submit --type Accept", "did you mean ReferralAccepted?"},
		{"submit --type ReferralAccepted", "--as is missing"},
		{"submit --type ReferralAccepted --as cnaf", "--subject is missing"},
		{"submit --type ReferralAccepted --as cnaf --subject x --data {", "--data is not JSON"},
		{"submit --type ReferralAccepted --as cnaf --subject x --time yesterday", "give a time such as"},
		{"submit --wait=3600", "give seconds from 0 to 60"},
		{"submit --set sequence=1", "give attribute=value"},
		{"submit one.json two.json", "one file at most"},
		{"submit --type ReferralMade one.json", "give a whole event, or"},
		{"tail", "--as or --office is missing"},
		{"tail --as cnaf --office fs-1", "not both"},
		{"tail --as cnaf --from yesterday", "start or now"},
		{"import", "give one file"},
		{"import -", "reads it more than once"},
		{"import --feed acme x", "the feed known is neutral"},
		{"import --streams 0 x", "1 to 64"},
		{"directory import", "give one file"},
		{"directory diff x.csv --as-of tomorrow", "--as-of"},
		{"directory show --limit 0", "1 to 5000"},
		{"case show", "the id of one case"},
		{"quarantine show", "give one place"},
		{"quarantine redrive", "give the places"},
		{"quarantine list 0-1", "not understood"},
		{"schema check", "give the schema that your consumer reads with"},
		{"schema impact", "give the name of one event"},
		{"schema impact Visit", "not in the catalogue"},
		{"schema check --offline --participant cnaf x", "--offline asks nobody"},
		{"schema check --offline --topic relais.to.cnaf x", "--offline asks nobody"},
		{"schema check --bootstrap kafka:9092 x", "which topic is to be read?"},
		{"schema check --topic relais.to.cnaf --kafka-password-file p x", "without --kafka-user"},
		{"schema check --topic relais.to.cnaf --kafka-cert c x", "give both, or neither"},
		{"schema check --topic relais.to.cnaf --kafka-user cnaf testdata/reader.avsc", "has no password"},
	} {
		var out strings.Builder
		if code := run(t.Context(), strings.Fields(c.args), quiet(&out)); code != exitUsage {
			t.Errorf("hubctl %s: exit code %d, want %d", c.args, code, exitUsage)
		}
		if !strings.Contains(out.String(), c.says) {
			t.Errorf("hubctl %s says %q, without %q", c.args, out.String(), c.says)
		}
	}
}

func TestNoHubThere(t *testing.T) {
	nobody := httptest.NewServer(nil)
	nobody.Close()
	for _, args := range []string{"tail --as cnaf --once", "case show x", "directory show", "quarantine list"} {
		var out strings.Builder
		code := run(t.Context(), append(strings.Fields(args), "--hub", nobody.URL), quiet(&out))
		if want := "no hub listens at " + nobody.URL + ": start it, or give its address with --hub"; code != exitFailed || !strings.Contains(out.String(), want) {
			t.Errorf("hubctl %s: exit code %d, %q", args, code, out.String())
		}
	}
	var out strings.Builder
	if code := run(t.Context(), []string{"case", "show", "x", "--hub", "127.0.0.1:8080"}, quiet(&out)); code != exitFailed || !strings.Contains(out.String(), "http://host:port") {
		t.Errorf("an address without http: exit code %d, %q", code, out.String())
	}
}

func TestNewIDsAreUUIDsOfVersion7(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		id := newUUID()
		if len(id) != 36 || id[14] != '7' || !strings.ContainsRune("89ab", rune(id[19])) || seen[id] {
			t.Errorf("%q", id)
		}
		seen[id] = true
	}
}
