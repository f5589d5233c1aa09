package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// maxSettingBody bounds the body of a setting.
const maxSettingBody = 64 << 10

// getSettings shows what is set, and every setting that there is.
func (d *Directory) getSettings(w http.ResponseWriter, _ *http.Request) *problem.Document {
	set := []dir.Setting{}
	for name, value := range d.host.Directory.Snapshot().Settings() {
		set = append(set, dir.Setting{Name: name, Value: value})
	}
	slices.SortFunc(set, func(a, b dir.Setting) int { return strings.Compare(a.Name, b.Name) })
	return answer(w, http.StatusOK, map[string]any{"settings": set, "known": dir.KnownSettings()})
}

// putSetting sets one, after the rules of its own.
func (d *Directory) putSetting(w http.ResponseWriter, r *http.Request) *problem.Document {
	if why := d.host.DoorsClosed(); why != "" {
		return trouble(schemas.ReasonNotReady, "%s", why)
	}
	var asked struct {
		Value *string `json:"value"`
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSettingBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil || asked.Value == nil {
		return trouble(schemas.ReasonMalformed, `the body is JSON such as {"value": "2"}`)
	}
	ctx, cancel := context.WithTimeout(r.Context(), applyLimit)
	defer cancel()
	set, err := d.Set(ctx, r.PathValue("name"), *asked.Value)
	var unknown *dir.UnknownSettingError
	var fixed *dir.FixedSettingError
	var behind *BehindError
	var unwritten *writeError
	switch {
	case err == nil:
		return answer(w, http.StatusOK, set)
	case errors.As(err, &unknown):
		return trouble(problem.CodeNotFound, "%v", err)
	case errors.As(err, &fixed), errors.As(err, &behind):
		return trouble(problem.CodeConflict, "%v", err)
	case errors.Is(err, broker.ErrRebalancing):
		return trouble(schemas.ReasonNotReady, "the ledgers are sharing out their partitions: try again in a moment")
	case errors.As(err, &unwritten), ctx.Err() != nil:
		d.host.Log.ErrorContext(ctx, "setting could not be changed", "setting", r.PathValue("name"), telemetry.KeyError, err)
		return trouble(schemas.ReasonNotReady, "the log does not answer at present: set it again")
	}
	return trouble(problem.CodeUnprocessable, "%v", err)
}

// writeError says that the broker did not take or did not tell something.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

// Set sets a setting as an admin does: by its own rules, and a rules version only
// once every ledger knows it. It returns when this process's view has it.
func (d *Directory) Set(ctx context.Context, name, value string) (dir.Setting, error) {
	before, _ := d.host.Directory.Setting(name)
	set, err := d.host.Directory.Snapshot().Change(name, value, time.Now().UTC())
	if err != nil {
		return dir.Setting{}, err
	}
	if name == dir.SettingRules && set.Value != before {
		if err := d.everyLedgerKnows(ctx, set.Value); err != nil {
			return dir.Setting{}, err
		}
	}
	if err := d.SetSetting(ctx, set); err != nil {
		return dir.Setting{}, &writeError{err}
	}
	d.host.Log.InfoContext(ctx, "setting changed", "setting", name, "before", before, "value", set.Value)
	return set, nil
}

// BehindError says that a rules version cannot come into force yet.
type BehindError struct {
	Asked string
	// Ledgers are those that do not know it; none when there is no ledger at all.
	Ledgers []ledgerKnows
}

func (e *BehindError) Error() string {
	if len(e.Ledgers) == 0 {
		return "no ledger is there to say which rules it knows: start the ledgers, then activate " + e.Asked
	}
	var behind []string
	for _, l := range e.Ledgers {
		behind = append(behind, fmt.Sprintf("%s at %s knows %d", l.Member, l.Host, l.Knows))
	}
	return fmt.Sprintf("not every ledger knows rules version %s: %s. Run newer builds of them first", e.Asked, strings.Join(behind, ", "))
}

// ledgerKnows is the newest rules version that one ledger knows.
type ledgerKnows struct {
	Member string `json:"member"`
	Host   string `json:"host"`
	Knows  int    `json:"knows"`
}

// ledgers asks the ledgers' own consumer group who is in it and what each said of
// itself. Nothing is kept of it anywhere: who is there is there, and one that is
// not, but comes later with an older build, stops before it judges.
func (d *Directory) ledgers(ctx context.Context) ([]ledgerKnows, error) {
	members, err := d.host.Broker.Members(ctx, d.host.Broker.Topic("ledger"))
	if err != nil {
		if errors.Is(err, broker.ErrRebalancing) {
			return nil, err
		}
		return nil, &writeError{err}
	}
	all := []ledgerKnows{}
	for _, m := range members {
		all = append(all, ledgerKnows{Member: m.ID, Host: m.Host, Knows: dir.ParseKnownRules(m.Note)})
	}
	return all, nil
}

func (d *Directory) everyLedgerKnows(ctx context.Context, version string) error {
	asked, err := strconv.Atoi(version)
	if err != nil {
		return err
	}
	all, err := d.ledgers(ctx)
	if err != nil {
		return err
	}
	behind := slices.DeleteFunc(slices.Clone(all), func(l ledgerKnows) bool { return l.Knows >= asked })
	if len(all) == 0 || len(behind) > 0 {
		return &BehindError{Asked: version, Ledgers: behind}
	}
	return nil
}

// getRules shows the rules in force and what each ledger knows.
func (d *Directory) getRules(w http.ResponseWriter, r *http.Request) *problem.Document {
	ctx, cancel := context.WithTimeout(r.Context(), lookLimit)
	defer cancel()
	all, err := d.ledgers(ctx)
	switch {
	case errors.Is(err, broker.ErrRebalancing):
		return trouble(schemas.ReasonNotReady, "the ledgers are sharing out their partitions: try again in a moment")
	case err != nil:
		d.host.Log.WarnContext(ctx, "the ledgers cannot be asked", telemetry.KeyError, err)
		return trouble(schemas.ReasonNotReady, "the log does not answer at present")
	}
	known := 0
	for i, l := range all {
		if i == 0 || l.Knows < known {
			known = l.Knows
		}
	}
	text, _ := d.host.Directory.Setting(dir.SettingRules)
	inForce, _ := strconv.Atoi(text)
	return answer(w, http.StatusOK, map[string]any{"in_force": inForce, "known_by_all": known, "ledgers": all})
}

// lookLimit bounds a look at the group.
const lookLimit = 10 * time.Second

// Activation moves an installation to the newest rules version once every ledger
// knows it. It is for whoever runs directory and ledger in one process.
type Activation struct {
	Directory *Directory
	Newest    int
}

// Name is the word for it in logs.
func (a *Activation) Name() string { return "rules" }

// activateEvery is how often it is tried while it cannot be.
const activateEvery = 2 * time.Second

// Run activates, and waits for ctx to end. A version that stands already, or a
// newer one, is left as it is: that is the ledger's to complain about.
func (a *Activation) Run(ctx context.Context) error {
	d := a.Directory
	select {
	case <-ctx.Done():
		return nil
	case <-d.host.Directory.Ready():
	}
	said := ""
	for ctx.Err() == nil {
		// The first run writes the newest by itself.
		text, known := d.host.Directory.Setting(dir.SettingRules)
		if n, err := strconv.Atoi(text); known && err == nil && n >= a.Newest {
			break
		}
		if known {
			_, err := d.Set(ctx, dir.SettingRules, strconv.Itoa(a.Newest))
			if err != nil && ctx.Err() == nil && err.Error() != said {
				said = err.Error()
				d.host.Log.InfoContext(ctx, "newer rules wait", "version", a.Newest, "why", said)
			}
			if err == nil {
				break
			}
		}
		_ = pause.For(ctx, activateEvery)
	}
	<-ctx.Done()
	return nil
}
