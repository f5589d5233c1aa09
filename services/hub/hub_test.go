package hub

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/config"
)

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
