package hub

import (
	"log/slog"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/config"
)

// TestTheTableOfRightsHasTheHubsDoorsAndNoOthers holds the table against what the
// services register; one without rights would not have been registered.
func TestTheTableOfRightsHasTheHubsDoorsAndNoOthers(t *testing.T) {
	p, err := services.NewProcess(config.DefaultHub(), slog.New(slog.DiscardHandler), services.Engines{
		Brokers: []string{"127.0.0.1:1"}, Redis: redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, registryDoors, err := list(p, true)
	if err != nil {
		t.Fatal(err)
	}
	registered := map[string]bool{}
	for _, pattern := range slices.Concat(p.Doors.Patterns(), registryDoors.Patterns()) {
		registered[pattern] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(auth.Doors())), slices.Sorted(maps.Keys(registered))); diff != "" {
		t.Errorf("doors (-in the table +registered):\n%s", diff)
	}
}

func TestAnotherRegistryIsNotWrittenToByOurs(t *testing.T) {
	for _, tc := range []struct {
		name string
		own  bool
	}{
		{"without --registry-url the hub runs its own", true},
		{"with it, none", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := services.NewProcess(config.DefaultHub(), slog.New(slog.DiscardHandler), services.Engines{
				Brokers: []string{"127.0.0.1:1"}, Redis: redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"}),
			})
			if err != nil {
				t.Fatal(err)
			}
			all, _, err := list(p, tc.own)
			if err != nil {
				t.Fatal(err)
			}
			if has := slices.ContainsFunc(all, func(s services.Service) bool { return s.Name() == "registry" }); has != tc.own {
				t.Errorf("the registry runs: %v, want %v", has, tc.own)
			}
		})
	}
}
