package services_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/relais-fr/relais/"

type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// list is every package of the module.
func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// layer is a package's layer, as the house plan numbers them, and the service it
// belongs to on layer 3.
func layer(pkg string) (n int, service string) {
	parts := strings.Split(pkg, "/")
	switch {
	case parts[0] == "schemas":
		return 0, ""
	case parts[0] == "cmd":
		return 5, parts[1]
	case pkg == "services":
		return 2, ""
	case parts[1] == "internal":
		return 1, ""
	case parts[1] == "hub" || parts[1] == "proof":
		return 4, parts[1]
	}
	return 3, parts[1]
}

// forbidden says why a package may not import another of ours or of others, ""
// when it may.
func forbidden(from, to string) string {
	ours := strings.HasPrefix(to, module)
	to = strings.TrimPrefix(to, module)
	fromLayer, fromService := layer(from)
	if !ours {
		return forbiddenOutside(from, to, fromLayer)
	}
	toLayer, toService := layer(to)
	switch {
	case strings.HasPrefix(from, "cmd/hubctl") && toLayer != 0 && !strings.HasPrefix(to, "cmd/hubctl"):
		return "hubctl is a client like any other: public packages only"
	case fromLayer == 0 && toLayer != 0:
		return "the published language imports nothing else of ours"
	case fromLayer == 5 && toLayer == 5 && fromService == toService:
		return ""
	case toLayer > fromLayer:
		return "imports only go down"
	case fromLayer == 3 && toLayer == 3 && fromService != toService:
		return "a service never imports a sibling"
	case fromLayer == 5 && toLayer == 1:
		return "a command imports services and one service"
	case from == "services/internal/broker" && to == "services/internal/store", from == "services/internal/store" && to == "services/internal/broker":
		return "log and store do not know each other"
	}
	return ""
}

func forbiddenOutside(from, to string, fromLayer int) string {
	is := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return to == p || strings.HasPrefix(to, p+"/") })
	}
	kafka := is("github.com/segmentio/kafka-go", "github.com/twmb/franz-go")
	switch {
	case is("github.com/hamba/avro") && from != "schemas" && !strings.HasPrefix(from, "schemas/internal/"):
		return "only the codec's package imports hamba/avro: it is no longer maintained"
	case fromLayer == 0 && (kafka || is("github.com/redis/go-redis", "net/http")):
		return "the published language knows nothing of Kafka, Redis or HTTP"
	case is("net/http") && slices.Contains([]string{"services/internal/broker", "services/internal/store"}, from):
		return "log and store know nothing of HTTP"
	case is("github.com/twmb/franz-go/pkg/kfake", "github.com/alicebob/miniredis") && fromLayer != 4 && from != "services/internal/enginetest":
		return "the embedded engines are the hub's"
	case is("github.com/segmentio/kafka-go") && from != "services/internal/broker" && from != "services/proof/bench/peer":
		return "one package talks to Kafka"
	case is("github.com/twmb/franz-go") && strings.HasPrefix(from, "cmd/") && from != "cmd/hubctl/internal/topic":
		return "of the commands, one package reads a topic, as an operator's client does"
	case is("github.com/redis/go-redis") && fromLayer == 3:
		return "services reach Redis through the store"
	}
	return ""
}

func TestImportsOnlyGoDown(t *testing.T) {
	all := list(t)
	if len(all) < 15 {
		t.Fatalf("only %d packages were listed", len(all))
	}
	for _, p := range all {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, to := range p.Imports {
			if why := forbidden(from, to); why != "" {
				t.Errorf("%s imports %s: %s", from, to, why)
			}
		}
		for _, to := range slices.Concat(p.TestImports, p.XTestImports) {
			to = strings.TrimPrefix(to, module)
			command, _, _ := strings.Cut(strings.TrimPrefix(to, "cmd/"), "/")
			if strings.HasPrefix(to, "cmd/") && !strings.HasPrefix(from, "cmd/"+command) {
				t.Errorf("tests of %s import %s: nothing imports a command", from, to)
			}
		}
	}
}

func TestTheLayerRulesBite(t *testing.T) {
	for _, tc := range []struct{ from, to string }{
		{"schemas", module + "services"},
		{"schemas/lifecycle", "net/http"},
		{"services/internal/broker", module + "services/internal/store"},
		{"services/internal/store", "net/http"},
		{"services/ledger", module + "services/router"},
		{"services/ledger", module + "services/hub"},
		{"services/ledger", "github.com/segmentio/kafka-go"},
		{"services/ledger", "github.com/hamba/avro/v2"},
		{"services", module + "services/ledger"},
		{"services", "github.com/alicebob/miniredis/v2"},
		{"cmd/hubctl", module + "services/internal/broker"},
		{"cmd/ledger", module + "services/internal/broker"},
		{"cmd/hubctl", "github.com/twmb/franz-go/pkg/kgo"},
		{"cmd/hubctl/internal/topic", "github.com/segmentio/kafka-go"},
	} {
		if forbidden(tc.from, tc.to) == "" {
			t.Errorf("%s may import %s", tc.from, path.Base(tc.to))
		}
	}
}
