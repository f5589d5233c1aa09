package store_test

import (
	"fmt"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/relais-fr/relais/services/internal/store"
)

// BenchmarkCommit is a ledger's batch: so many dossiers of 300 bytes, read and
// written again, on the embedded Redis.
func BenchmarkCommit(b *testing.B) {
	for _, dossiers := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("dossiers=%d", dossiers), func(b *testing.B) {
			server := miniredis.RunT(b)
			p := newProjection(newClient(b, server.Addr()), "1")
			value := make([]byte, 300)
			keys, ops := make([]string, dossiers), make([]store.Op, dossiers)
			for i := range dossiers {
				keys[i] = fmt.Sprintf("d:01890a5d-ac96-774b-bcce-%012d", i)
				ops[i] = store.Set(keys[i], value)
			}
			at := none
			b.ResetTimer()
			for range b.N {
				if _, err := p.Get(b.Context(), 3, at, keys); err != nil {
					b.Fatal(err)
				}
				to := store.Position{Next: at.Next + int64(dossiers)}
				if err := p.Commit(b.Context(), 3, at, to, ops); err != nil {
					b.Fatal(err)
				}
				at = to
			}
			b.ReportMetric(float64(b.N)*float64(dossiers)/b.Elapsed().Seconds(), "dossiers/s")
		})
	}
}
