package gateway

import (
	"net/http"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/uses"
)

// usesPath tells which schemas events were written with that this gateway took.
const usesPath = "/v1/schemas/uses"

// noteUse counts the schema of data that could be read, before it is written anew by
// ours.
func (h *hearing) noteUse() {
	id, ok := schemas.SchemaID(h.event.Data)
	if !ok || mediaType(h.event.DataContentType) != schemas.AvroContentType {
		id = 0
	}
	h.uses.Note(uses.Key{Participant: h.by.ID, Channel: h.channel, Type: h.event.Type, Schema: id})
}

// listUses answers what a participant's own events were written with, and an admin
// everybody's.
func (g *Gateway) listUses(w http.ResponseWriter, r *http.Request) {
	by, err := g.host.Auth.Authenticate(r)
	if err != nil {
		problem.Write(w, problem.From(err))
		return
	}
	writeJSON(w, http.StatusOK, g.judge.uses.Tell(func(participant string) bool { return by.IsAdmin() || participant == by.ID }))
}
