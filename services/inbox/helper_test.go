package inbox

import (
	"os"
	"testing"
	"time"

	"github.com/relais-fr/relais/services/internal/directory"
)

func readSource(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func newTestFrame(l lang) *frame {
	return &frame{lang: l, directory: directory.NewView().Snapshot(), Now: time.Date(2026, 5, 14, 9, 0, 0, 0, time.UTC)}
}
