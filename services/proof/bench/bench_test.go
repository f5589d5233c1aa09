package bench

import (
	"bytes"
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// The bench starts its own program again as a peer: here that is this test.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "bench" && os.Args[2] == peerCommand {
		os.Exit(Main(context.Background(), os.Args[2:], io.Discard, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestQuickBenchOnEmbeddedEnginesTellsARowOfEach(t *testing.T) {
	o := defaults()
	o.quick()
	o.Engines, o.Root, o.Folder = embedded, "../../..", t.TempDir()
	var progress bytes.Buffer
	table, err := Run(t.Context(), o, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	for _, want := range []string{"Kafka with security", "the whole road at 100/s, embedded", "the simulated day × 2", "rebuilding the ledger from", "rebuilding the inbox from"} {
		if !strings.Contains(table, want) {
			t.Errorf("no row of %q in\n%s", want, table)
		}
	}
	if strings.Contains(table, "did not stay open") {
		t.Errorf("doors were closed:\n%s", table)
	}
}

func TestWhatIsNotUnderstoodIsSaid(t *testing.T) {
	for _, args := range [][]string{{"--rows", "hop,nap"}, {"--engines", "steam"}, {"--rounds", "0"}, {"--brokers", "2"}, {"more"}, {"--port", "80"}, {"--bogus"}} {
		var said bytes.Buffer
		if code := Main(t.Context(), args, &said, &said); code != 2 || said.Len() == 0 {
			t.Errorf("%v: code %d, said %q", args, code, said.String())
		}
	}
	if code := Rebuild(t.Context(), []string{"--help"}, io.Discard, io.Discard); code != 0 {
		t.Errorf("--help ends with %d", code)
	}
}

func TestPreparedSubmissionsAreLivesInOrder(t *testing.T) {
	w, err := newWriter(t.Context(), enginetest.Schemas{}, "http://registry.example", "p")
	if err != nil {
		t.Fatal(err)
	}
	const total = 80
	lives := map[string][]string{}
	for n := range total {
		r := w.submission(n, total, time.Now())
		e, err := schemas.FromRecord(r.Headers, r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if number(r.Headers) != n || e.Extensions[schemas.AttrPartitionKey] != string(r.Key) {
			t.Errorf("submission %d has id %s and key %s", n, e.ID, r.Key)
		}
		entry, _ := schemas.Lookup(e.Type)
		lives[e.Subject] = append(lives[e.Subject], entry.Name)
	}
	want := []string{"ReferralMade", "ReferralReceived", "ReviewStarted", "MessagePosted", "ReferralAccepted", "ReferralStarted", "ReferralCompleted", "ReferralClosed"}
	if len(lives) != total/len(want) {
		t.Errorf("%d lives", len(lives))
	}
	for subject, life := range lives {
		if diff := cmp.Diff(want, life); diff != "" {
			t.Errorf("%s (-want +got):\n%s", subject, diff)
		}
	}
}

func TestFiguresAreToldAsRatiosOfEachRound(t *testing.T) {
	for name, test := range map[string]struct{ got, want string }{
		"ratio":             {ratio([]float64{10, 30, 20}, []float64{10, 10, 10}), "**2.00** (1.00–3.00)"},
		"no peer":           {ratio([]float64{10}, nil), ""},
		"thousands":         {thousands(1234567.8), "1,234,568"},
		"small":             {thousands(12), "12"},
		"median of two":     {strconv.FormatFloat(median([]float64{1, 4}), 'g', -1, 64), "2.5"},
		"the last quantile": {quantile([]time.Duration{1, 2, 3}, .999).String(), "3ns"},
		"of none":           {quantile(nil, .5).String(), "0s"},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q, want %q", name, test.got, test.want)
		}
	}
}
