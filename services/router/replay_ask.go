package router

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
)

// Bounds of a replay. The rate is in events a second; the default leaves a hub
// on two cores nine tenths of its road.
const (
	defaultRate = 500
	maxRate     = 5000
	maxAsk      = 64 << 10
	maxTypes    = 64
)

// ask is what a participant wants to have again: the body of POST /v1/replays.
// Bounds are on receivedtime, From is in and To is not; what is left out does not
// narrow it down.
type ask struct {
	// Participant is whose events; a participant may leave it out, and name no
	// other than itself.
	Participant string     `json:"participant"`
	From        *time.Time `json:"from"`
	To          *time.Time `json:"to"`
	// Types are names of the catalogue (ReferralMade) or whole types.
	Types []string `json:"types"`
	// Case is a case id: its events alone. Of another case of the dossier nothing
	// comes along.
	Case string `json:"case"`
	// DryRun counts and writes nothing; it is the default.
	DryRun *bool `json:"dry_run"`
	// Rate is in events a second.
	Rate int `json:"rate"`
	// Cursor is what an earlier answer gave: that replay goes on there.
	Cursor string `json:"cursor"`
}

// order is an ask that was understood.
type order struct {
	ask
	id    string
	types map[string]bool
	// topic and key are where the copies go; key is nil on a topic of its own.
	party string
	rate  int
	dry   bool
	// start is where each partition is begun; those before `partition` are done.
	partition int
	start     int64
	copied    int64
	// partitions are those that may hold something.
	partitions []int
}

func readAsk(r *http.Request) (ask, error) {
	var a ask
	body := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxAsk))
	body.DisallowUnknownFields()
	if err := body.Decode(&a); err != nil && !errors.Is(err, io.EOF) {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return a, fmt.Errorf("the body is larger than %d bytes", maxAsk)
		}
		return a, fmt.Errorf("the body is not what is expected: %w; send {\"from\": …, \"to\": …, \"types\": […], \"case\": …, \"dry_run\": true}", err)
	}
	if _, err := body.Token(); !errors.Is(err, io.EOF) {
		return a, errors.New("the body has something after the JSON object")
	}
	return a, nil
}

// orderOf reads what is asked for; the error says what to mend.
func (h *replays) orderOf(a ask, by auth.Principal) (*order, error) {
	o := &order{ask: a, types: map[string]bool{}, dry: a.DryRun == nil || *a.DryRun, rate: a.Rate}
	switch {
	case o.rate == 0:
		o.rate = defaultRate
	case o.rate < 0 || o.rate > maxRate:
		return nil, fmt.Errorf("rate: %d events a second; use 1 to %d", o.rate, maxRate)
	}
	if a.From != nil && a.To != nil && !a.From.Before(*a.To) {
		return nil, fmt.Errorf("to: %s is not after from", a.To.Format(time.RFC3339))
	}
	if len(a.Types) > maxTypes {
		return nil, fmt.Errorf("types: %d of them; leave them out to have all, or give at most %d", len(a.Types), maxTypes)
	}
	for _, name := range a.Types {
		typ, ok := typeOf(name)
		if !ok {
			return nil, fmt.Errorf("types: %.80q is no event of the catalogue, such as ReferralMade", name)
		}
		o.types[typ] = true
	}
	n := h.host.Settings.Partitions
	if a.Case != "" {
		if _, err := schemas.ParseCaseID(a.Case); err != nil {
			return nil, fmt.Errorf("case: %w", err)
		}
		o.partitions = []int{broker.PartitionOf([]byte(schemas.Dossier(a.Case)), n)}
	} else {
		for p := range n {
			o.partitions = append(o.partitions, p)
		}
	}
	o.partition = o.partitions[0]
	if err := o.resume(a.Cursor); err != nil {
		return nil, err
	}
	return o, h.address(o, by)
}

// typeOf is the type of a name of the catalogue.
func typeOf(name string) (string, bool) {
	for _, e := range schemas.Catalogue() {
		if e.Name == name || e.Type == name {
			return e.Type, true
		}
	}
	return "", false
}

// resume goes on where a cursor says, as the replay it was; without one it is a
// new replay.
func (o *order) resume(cursor string) error {
	if cursor == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		o.id = id.String()
		return nil
	}
	wrong := errors.New("cursor: not one that an answer gave; leave it out to begin anew")
	text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(cursor) > 200 {
		return wrong
	}
	parts := strings.Split(string(text), " ")
	if len(parts) != 4 {
		return wrong
	}
	id, err := uuid.Parse(parts[0])
	partition, perr := strconv.Atoi(parts[1])
	start, serr := strconv.ParseInt(parts[2], 10, 64)
	copied, cerr := strconv.ParseInt(parts[3], 10, 64)
	if errors.Join(err, perr, serr, cerr) != nil || start < 0 || copied < 0 || !slices.Contains(o.partitions, partition) {
		return wrong
	}
	o.id, o.partition, o.start, o.copied = id.String(), partition, start, copied
	return nil
}

// cursor is where to go on: everything before is acknowledged.
func (o *order) cursor(partition int, next int64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %d %d", o.id, partition, next, o.copied))
}

// wants says whether an outcome is one of those asked for.
func (o *order) wants(record broker.Record) bool {
	if !slices.Contains(strings.Split(header(record, schemas.AttrParties), ","), o.party) {
		return false
	}
	if len(o.types) > 0 && !o.types[header(record, "type")] {
		return false
	}
	if o.Case != "" && header(record, "subject") != o.Case {
		return false
	}
	if o.From == nil && o.To == nil {
		return true
	}
	received, err := time.Parse(time.RFC3339Nano, header(record, schemas.AttrReceivedTime))
	return err == nil && (o.From == nil || !received.Before(*o.From)) && (o.To == nil || received.Before(*o.To))
}
