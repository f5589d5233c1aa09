package hub

import (
	"log/slog"
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
	outside := func(pattern string) bool {
		_, path, _ := strings.Cut(pattern, " ")
		return path == "/{$}" || strings.HasPrefix(path, "/offices/") || strings.HasPrefix(path, "/assets/")
	}
	there := slices.DeleteFunc(p.Doors.Patterns(), outside)
	var told []string
	lands := slices.ContainsFunc(there, func(pattern string) bool { return strings.Contains(pattern, "/v1/participants") })
	for _, d := range contract.Doors() {
		if !lands && strings.HasPrefix(d.Path, "/v1/participants") {
			continue // the doors of participants are described, and not there yet
		}
		told = append(told, d.Method+" "+d.Path)
	}
	slices.Sort(told)
	if diff := cmp.Diff(told, there); diff != "" {
		t.Errorf("services/internal/contract/doors.go tells of other routes than there are (-told +there):\n%s", diff)
	}
}
