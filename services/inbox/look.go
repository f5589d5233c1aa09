package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/store"
)

// notYetError says that the desks of a partition are being built: nobody can say
// yet what is on them.
type notYetError struct{ done, total int64 }

func (e *notYetError) Error() string {
	return fmt.Sprintf("the desks are being built: %d of %d events", e.done, e.total)
}

// failure says so on a page, and how far the building has come.
func (e *notYetError) failure() *failure {
	return &failure{
		status: http.StatusServiceUnavailable, title: "not_yet_title", key: "not_yet",
		detail: fmt.Sprintf("%d %%", e.done*100/max(e.total, 1)),
	}
}

// errNotFound says that there is nothing of that name on the office's desk.
var errNotFound = errors.New("not on the desk of this office")

// look asks the projection for what is on the desk of an office, as of one
// position. The error is a *notYetError while it is being built.
func (in *Inbox) look(ctx context.Context, office string, queries ...store.Query) ([]store.Answer, error) {
	partition := in.partition(office)
	if p, ours := in.tenancy.of(partition); ours && p.done < p.goal {
		return nil, &notYetError{p.done, p.goal}
	}
	answers, at, err := in.projection.Read(ctx, partition, append(queries, store.Get(goalKey))...)
	if errors.Is(err, store.ErrAbsent) {
		bounds, err := in.host.Broker.RangeOf(ctx, in.topic, partition)
		if err != nil {
			return nil, err
		}
		if bounds.Next > 0 {
			return nil, &notYetError{0, bounds.Next}
		}
		return make([]store.Answer, len(queries)), nil
	}
	if err != nil {
		return nil, err
	}
	goal, err := strconv.ParseInt(string(answers[len(queries)].Value), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("read the goal of partition %d: %w", partition, err)
	}
	if at.Next < goal {
		return nil, &notYetError{at.Next, goal}
	}
	return answers[:len(queries)], nil
}

// all reads stored values of one kind; a value that is not there is the zero
// value.
func all[T any](values [][]byte) ([]T, error) {
	list := make([]T, len(values))
	for i, v := range values {
		if v == nil {
			continue
		}
		if err := json.Unmarshal(v, &list[i]); err != nil {
			return nil, fmt.Errorf("read what is stored of a desk: %w", err)
		}
	}
	return list, nil
}

func one[T any](value []byte) (T, error) {
	list, err := all[T]([][]byte{value})
	return list[0], err
}

// listed is a case on one of an office's lists.
type listed struct {
	*desk.Case
	Dossier *desk.Dossier
}

// overview is what an office's page shows.
type overview struct {
	Office   desk.Office
	Lists    map[desk.List][]listed
	Counts   map[desk.List]int64
	Refusals []desk.Refusal
	Visits   []visit
}

// visit is a visit as a page shows it. VisitRecorded stands for VisitCorrected
// too: both carry the whole record.
type visit struct {
	Case      string
	Corrected bool
	desk.Visit
	schemas.VisitRecorded
}

// shown is how many cases of a list an office's page shows.
const shown = 50

// overview reads an office's desk; of the visits, those of the day.
func (in *Inbox) overview(ctx context.Context, office string, today schemas.Day) (*overview, error) {
	queries := []store.Query{store.Get(officeKey(office)), store.LRange(refusalsKey(office), -shown, -1), store.HGetAll(visitsKey(office, today))}
	for _, l := range desk.Lists {
		reverse := l != desk.Agenda
		queries = append(queries, store.ZCard(listKey(office, l)), store.ZRange(listKey(office, l), 0, shown-1, reverse))
	}
	answers, err := in.look(ctx, office, queries...)
	if err != nil {
		return nil, err
	}
	o := &overview{Lists: map[desk.List][]listed{}, Counts: map[desk.List]int64{}}
	if o.Office, err = one[desk.Office](answers[0].Value); err != nil {
		return nil, err
	}
	if o.Refusals, err = all[desk.Refusal](answers[1].Values); err != nil {
		return nil, err
	}
	if o.Visits, err = in.visits(ctx, answers[2].Fields); err != nil {
		return nil, err
	}
	ids := map[desk.List][][]byte{}
	for i, l := range desk.Lists {
		o.Counts[l], ids[l] = answers[3+2*i].Count, answers[4+2*i].Values
	}
	return o, in.fillLists(ctx, office, o, ids)
}

// fillLists reads the cases behind the ids. It is a second look: a case that has
// moved in between is shown as it is now.
func (in *Inbox) fillLists(ctx context.Context, office string, o *overview, ids map[desk.List][][]byte) error {
	var queries []store.Query
	for _, l := range desk.Lists {
		for _, id := range ids[l] {
			queries = append(queries, store.Get(dossierKey(office, schemas.Dossier(string(id)))))
		}
	}
	if len(queries) == 0 {
		return nil
	}
	answers, err := in.look(ctx, office, queries...)
	if err != nil {
		return err
	}
	for _, l := range desk.Lists {
		for _, id := range ids[l] {
			dossier, err := one[desk.Dossier](answers[0].Value)
			if err != nil {
				return err
			}
			answers = answers[1:]
			if c := dossier.Find(string(id)); c != nil {
				o.Lists[l] = append(o.Lists[l], listed{c, &dossier})
			}
		}
	}
	return nil
}

// dossier reads a dossier and its timeline.
func (in *Inbox) dossier(ctx context.Context, office, id string) (*desk.Dossier, []desk.Entry, desk.Office, error) {
	answers, err := in.look(ctx, office, store.Get(officeKey(office)), store.Get(dossierKey(office, id)), store.LRange(timelineKey(office, id), 0, -1))
	if err != nil {
		return nil, nil, desk.Office{}, err
	}
	state, err := one[desk.Office](answers[0].Value)
	if err != nil {
		return nil, nil, state, err
	}
	if answers[1].Value == nil {
		return nil, nil, state, errNotFound
	}
	dossier, err := one[desk.Dossier](answers[1].Value)
	if err != nil {
		return nil, nil, state, err
	}
	timeline, err := all[desk.Entry](answers[2].Values)
	return &dossier, timeline, state, err
}

// byReference finds a case of the office by its reference.
func (in *Inbox) byReference(ctx context.Context, office, reference string) (id string, err error) {
	answers, err := in.look(ctx, office, store.HMGet(referencesKey(office), reference))
	if err != nil {
		return "", err
	}
	if len(answers[0].Values) == 0 || answers[0].Values[0] == nil {
		return "", errNotFound
	}
	return string(answers[0].Values[0]), nil
}

// outcome is what became of a submission of the page; nil while it is not known.
func (in *Inbox) outcome(ctx context.Context, office, event string) (*desk.Outcome, error) {
	answers, err := in.look(ctx, office, store.LRange(outcomesKey(office), 0, -1))
	if err != nil {
		return nil, err
	}
	outcomes, err := all[desk.Outcome](answers[0].Values)
	if err != nil {
		return nil, err
	}
	for i := range outcomes {
		if outcomes[i].Event == event {
			return &outcomes[i], nil
		}
	}
	return nil, nil
}
