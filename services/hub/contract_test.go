package hub

import (
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/contract"
)

// The OpenAPI document has every route of the hub but those of the office's page, and
// no other.
func TestTheDocumentHasEveryRoute(t *testing.T) {
	p, err := services.NewProcess(config.DefaultHub(), slog.New(slog.DiscardHandler), services.Engines{
		Brokers: []string{"127.0.0.1:1"}, Redis: redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := list(p, true); err != nil {
		t.Fatal(err)
	}
	there := slices.DeleteFunc(patterns(t, p.Mux), func(pattern string) bool {
		_, path, _ := strings.Cut(pattern, " ")
		return path == "/{$}" || strings.HasPrefix(path, "/offices/") || strings.HasPrefix(path, "/assets/")
	})
	var told []string
	for _, d := range contract.Doors() {
		told = append(told, d.Method+" "+d.Path)
	}
	slices.Sort(told)
	if diff := cmp.Diff(told, there); diff != "" {
		t.Errorf("services/internal/contract/doors.go tells of other routes than there are (-told +there):\n%s", diff)
	}
}

// patterns are a mux's, which it does not tell by itself.
func patterns(t *testing.T, mux *http.ServeMux) []string {
	t.Helper()
	index := reflect.ValueOf(mux).Elem().FieldByName("index")
	if !index.IsValid() {
		t.Fatal("http.ServeMux keeps its patterns elsewhere than it did: look where")
	}
	seen := map[string]bool{}
	for _, segment := range index.FieldByName("segments").Seq2() {
		for _, pattern := range segment.Seq2() {
			seen[pattern.Elem().FieldByName("str").String()] = true
		}
	}
	for _, pattern := range index.FieldByName("multis").Seq2() {
		seen[pattern.Elem().FieldByName("str").String()] = true
	}
	var all []string
	for pattern := range seen {
		all = append(all, pattern)
	}
	slices.Sort(all)
	return all
}
