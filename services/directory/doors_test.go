package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/directorytest"
	"github.com/relais-fr/relais/services/internal/enginetest"
	"github.com/relais-fr/relais/services/internal/problem"
)

// offices are n rows for listOf, from the number on.
func offices(from, n int) []string {
	var rows []string
	for i := range n {
		rows = append(rows, fmt.Sprintf("%d,Bureau %d,23096", from+i, from+i))
	}
	return rows
}

func TestAnImportShowsWhatItWouldChangeBeforeItChangesIt(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), testSettings())
	samples := r.host.Directory.Snapshot().OfficeCount()
	first := r.plan(listOf(offices(1, 20)...), "?as_of=2024-08-01")
	t.Run("nothing has changed yet", func(t *testing.T) {
		if _, ok := r.host.Directory.Office("fs-1"); ok {
			t.Error("fs-1 is there")
		}
		if diff := cmp.Diff(map[ChangeKind]int{ChangeNew: 20}, first.Counts); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
	})
	t.Run("the same list gives the same plan", func(t *testing.T) {
		if again := r.plan(listOf(offices(1, 20)...), "?as_of=2024-08-01"); again.ID != first.ID {
			t.Errorf("%s and %s", first.ID, again.ID)
		}
	})
	overtaken := r.plan(listOf(offices(1, 19)...), "")
	t.Run("a confirmed plan is there at once", func(t *testing.T) {
		if w := r.apply(first); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		o, ok := r.host.Directory.Office("fs-20")
		if !ok || o.ValidFrom != "2024-08-01" || o.Department != "23" {
			t.Errorf("%+v", o)
		}
	})
	t.Run("applying it again answers the same and writes nothing", func(t *testing.T) {
		version := r.host.Directory.Version()
		if w := r.apply(first); w.Code != http.StatusOK || r.host.Directory.Version() != version {
			t.Errorf("%d, version %d then %d", w.Code, version, r.host.Directory.Version())
		}
	})
	t.Run("a plan made before is refused with what to do", func(t *testing.T) {
		var p problem.Document
		w := r.do("dev-admin", "POST", pathImports+"/"+overtaken.ID+"/apply", nil, &p)
		if w.Code != http.StatusConflict || !strings.Contains(p.Detail, "hand the list in again") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	t.Run("a later list closes what it lacks, and leaves the samples alone", func(t *testing.T) {
		rows := offices(1, 19)
		rows[0] = "1,Bureau rebaptisé,23096"
		p := r.plan(listOf(append(rows, "99,Nouveau,87085")...), "?as_of=2025-01-01")
		if diff := cmp.Diff(map[ChangeKind]int{ChangeNew: 1, ChangeGone: 1, ChangeRenamed: 1}, p.Counts); diff != "" || p.Unchanged != 18 {
			t.Errorf("%d unchanged, counts (-want +got):\n%s", p.Unchanged, diff)
		}
		if w := r.apply(p); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		gone, _ := r.host.Directory.Office("fs-20")
		stayed, _ := r.host.Directory.Office("fs-2")
		if gone.ClosedOn != "2025-01-01" || stayed.ValidFrom != "2024-08-01" || r.host.Directory.Snapshot().OfficeCount() != samples+21 {
			t.Errorf("gone %+v, stayed %+v", gone, stayed)
		}
	})
	t.Run("the plan can be read again", func(t *testing.T) {
		var p Plan
		if w := r.do("dev-admin", "GET", pathImports+"/"+first.ID, nil, &p); w.Code != http.StatusOK || p.AppliedAt == nil {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestAListThatLooksWrongWholeIsRefused(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), testSettings())
	if w := r.apply(r.plan(listOf(offices(1, 30)...), "")); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, test := range []struct {
		name   string
		list   []byte
		status int
		want   string
	}{
		{"a tenth of the offices gone", listOf(offices(1, 26)...), http.StatusUnprocessableEntity, `"refused":"fewer_offices"`},
		{"too many broken rows, with a report by line", listOf(append(offices(1, 28), "x,Un,23096", ",Deux,23096")...), http.StatusUnprocessableEntity, `"line":30,"code":"id_bad"`},
		{"another file", []byte("a,b\n1,2\n"), http.StatusUnprocessableEntity, `"refused":"header_missing"`},
		{"too large a file", bytes.Repeat([]byte("x"), 17<<20), http.StatusRequestEntityTooLarge, `"code":"too_large"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := r.do("dev-admin", "POST", pathImports, bytes.NewReader(test.list), nil)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) || w.Header().Get("Content-Type") != problem.ContentType {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

func TestDoors(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), testSettings())
	for _, test := range []struct {
		name, token, method, path string
		status                    int
		want                      string
	}{
		{"no token", "", "GET", pathOffices, http.StatusUnauthorized, "not_signed_in"},
		{"an unknown token", "dev-nobody", "GET", pathOffices, http.StatusUnauthorized, "not_signed_in"},
		{"an operator may not import", "dev-cnaf", "POST", pathImports, http.StatusForbidden, "forbidden"},
		{"nor apply", "dev-cnaf", "POST", pathImports + "/x/apply", http.StatusForbidden, "forbidden"},
		{"nor look at a plan", "dev-demo-1", "GET", pathImports + "/x", http.StatusForbidden, "forbidden"},
		{"a plan that was never made", "dev-admin", "POST", pathImports + "/x/apply", http.StatusNotFound, "hand the list in again"},
		{"a day that is none", "dev-admin", "POST", pathImports + "?as_of=demain", http.StatusBadRequest, "as_of"},
		{"an operator may look an office up", "dev-cnaf", "GET", pathOffices + "/demo-1", http.StatusOK, `"commune":"Vannes"`},
		{"an office that does not exist", "dev-cnaf", "GET", pathOffices + "/fs-0", http.StatusNotFound, "not_found"},
		{"offices by what people type", "dev-admin", "GET", pathOffices + "?q=gueret+bus", http.StatusOK, `"id":"demo-22"`},
		{"offices that nobody knows", "dev-admin", "GET", pathOffices + "?q=zzz", http.StatusOK, `"offices":[]`},
		{"a few offices in order", "dev-admin", "GET", pathOffices + "?limit=2", http.StatusOK, `"id":"demo-2"`},
		{"a limit that is none", "dev-admin", "GET", pathOffices + "?limit=0", http.StatusBadRequest, "limit"},
		{"participants", "dev-cnaf", "GET", pathParticipants, http.StatusOK, `"id":"dgfip"`},
		{"services", "dev-cnaf", "GET", pathServices, http.StatusOK, `"operators":["cnaf","msa"]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if w := r.do(test.token, test.method, test.path, nil, nil); w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	t.Run("nothing is applied while the doors are closed", func(t *testing.T) {
		p := r.plan(listOf(offices(1, 2)...), "")
		r.closed = "The disk is full."
		if w := r.apply(p); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "disk") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestADoorBeforeTheDirectoryIsReadSaysNotReady(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), testSettings())
	r.host.HTTP, r.host.Directory = http.NewServeMux(), dir.NewView()
	d := &Directory{host: r.host}
	d.routes()
	if w := r.do("dev-admin", "GET", pathOffices, nil, nil); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "not_ready") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTheOfficialListIsImportedWhole(t *testing.T) {
	list, err := os.ReadFile(directorytest.SharedData(t, "offices", "liste-fs-20240801.full.nomail.csv"))
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, enginetest.NewKafka(t), testSettings())
	began := time.Now()
	p := r.plan(list, "?as_of=2024-08-01")
	t.Logf("planned in %s", time.Since(began))
	if p.Counts[ChangeNew] != 2845 || p.Offices != 2845 || len(p.List.Rejected) != 0 {
		t.Errorf("%d offices, counts %v, rejected %v", p.Offices, p.Counts, p.List.Rejected)
	}
	if diff := cmp.Diff(map[string]int{
		"department_mismatch": 1, "hours_below_24h_charter": 205, "hours_none": 48, "hours_overlap": 32, "hours_zero_length": 30,
		"insee_commune-deleguee": 3, "js_escaped": 7, "mail_in_comment": 87, "newline": 7, "postcode_not_of_commune": 62, "whitespace": 131,
	}, p.Quirks); diff != "" {
		t.Errorf("quirks (-the reference cleaner's +ours):\n%s", diff)
	}
	began = time.Now()
	if w := r.apply(p); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	t.Logf("applied in %s", time.Since(began))
	if o, ok := r.host.Directory.Office("fs-563"); !ok || o.ValidFrom != "2024-08-01" {
		t.Errorf("fs-563 is %+v", o)
	}
	if again := r.plan(list, ""); len(again.Changes) != 0 || again.Unchanged != 2845 {
		t.Errorf("the same list again would change %d offices", len(again.Changes))
	}
}

// breaking is a publisher that fails after some records.
type breaking struct {
	publisher
	after int
}

func (b *breaking) publish(ctx context.Context, records []dir.Record) error {
	if b.after >= len(records) {
		return b.publisher.publish(ctx, records)
	}
	n := b.after
	b.after = math.MaxInt
	if err := b.publisher.publish(ctx, records[:n]); err != nil {
		return err
	}
	return errors.New("the broker is gone")
}

func TestAnImportThatBrokeOffIsTakenUpByANewPlan(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), testSettings())
	r.imports.log = &breaking{publisher: r.log, after: 7}
	list := listOf(offices(1, 20)...)
	broken := r.plan(list, "")
	if w := r.apply(broken); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "hand the list in again") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := r.apply(broken); w.Code != http.StatusConflict {
		t.Errorf("the broken plan again: %d %s", w.Code, w.Body)
	}
	rest := r.plan(list, "")
	if diff := cmp.Diff(map[ChangeKind]int{ChangeNew: 13}, rest.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if w := r.apply(rest); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestOnlyTheLatestPlansAreKept(t *testing.T) {
	r := newRig(t, enginetest.NewKafka(t), testSettings())
	first := r.plan(listOf(offices(1, 1)...), "")
	for i := range keptPlans {
		r.plan(listOf(offices(i+2, 1)...), "")
	}
	if w := r.apply(first); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
