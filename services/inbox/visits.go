package inbox

import (
	"cmp"
	"context"
	"slices"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/store"
)

// visits reads the visits of a day, the latest first.
func (in *Inbox) visits(ctx context.Context, fields map[string][]byte) ([]visit, error) {
	list := make([]visit, 0, len(fields))
	for id, value := range fields {
		v, err := in.readVisit(ctx, id, value)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b visit) int {
		return cmp.Or(b.Received.Compare(a.Received), cmp.Compare(a.Case, b.Case))
	})
	return list, nil
}

func (in *Inbox) readVisit(ctx context.Context, id string, value []byte) (visit, error) {
	kept, err := desk.DecodeVisit(value)
	if err != nil {
		return visit{}, err
	}
	payload, err := in.codec.Decode(ctx, kept.Type, kept.Data)
	if err != nil {
		return visit{}, err
	}
	v := visit{Case: id, Visit: kept}
	switch p := payload.(type) {
	case *schemas.VisitRecorded:
		v.VisitRecorded = *p
	case *schemas.VisitCorrected:
		v.VisitRecorded, v.Corrected = schemas.VisitRecorded(*p), true
	}
	return v, nil
}

// visit reads one visit of a day.
func (in *Inbox) visit(ctx context.Context, office string, day schemas.Day, id string) (visit, error) {
	answers, err := in.look(ctx, office, store.HMGet(visitsKey(office, day), id))
	if err != nil {
		return visit{}, err
	}
	if len(answers[0].Values) == 0 || answers[0].Values[0] == nil {
		return visit{}, errNotFound
	}
	return in.readVisit(ctx, id, answers[0].Values[0])
}
