package gateway

import (
	"context"
	"net/http"

	"github.com/relais-fr/relais/schemas"
)

// batch takes a JSON batch of CloudEvents and answers event by event, in order.
// One that is refused does not disturb the others.
func (q *request) batch(ctx context.Context) {
	data, err := q.body(maxBatchBody)
	if err != nil {
		q.refuseAll(err)
		return
	}
	items, err := schemas.SplitBatch(data, maxBatchEvents)
	if err != nil {
		q.refuseAll(err)
		return
	}
	if !q.allow(len(items)) {
		return
	}
	l := q.newLane(false)
	all := make([]*submission, len(items))
	// Events of one dossier wait for each other; all together they wait no longer
	// than one would.
	sending, cancel := context.WithTimeout(ctx, ackLimit)
	defer cancel()
	for i, item := range items {
		event, err := structuredEvent(item, q.by, channelHTTP)
		all[i] = q.submit(sending, l, event, err)
	}
	for _, s := range all {
		s.acknowledge(ctx)
	}
	answers := make([]answer, len(all))
	for i, s := range all {
		s.await(ctx)
		answers[i] = s.answer
	}
	writeJSON(q.w, http.StatusOK, answers)
}
