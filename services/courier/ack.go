package courier

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/relais-fr/relais/services/internal/problem"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// acknowledge answers POST /v1/mailbox/ack: what came before the cursor is with the
// participant. It is committed before it is answered.
func (c *Courier) acknowledge(w http.ResponseWriter, r *http.Request) {
	b, err := c.boxOfCaller(r)
	if err == nil {
		err = c.take(w, r, b)
	}
	if err != nil {
		d := document(err)
		c.host.Log.LogAttrs(r.Context(), slog.LevelInfo, "acknowledgement of a mailbox is not taken",
			slog.String(telemetry.KeyParticipant, b.owner), slog.Int("status", d.Status), slog.Any(telemetry.KeyError, err))
		problem.Write(w, d)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (c *Courier) take(w http.ResponseWriter, r *http.Request, b box) error {
	if b.key != "" {
		return &failure{problem.CodeForbidden, "an office acknowledges on its page: nothing is deleted from its mailbox, and nobody waits for it here"}
	}
	var said struct{ Cursor string }
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCursor+1<<10))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return malformed("the body is larger than any cursor")
	}
	if err != nil {
		return malformed("the body ended early")
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Cursor == "" {
		return malformed(`the body is not {"cursor":"…"}`)
	}
	from, err := cursorOf(said.Cursor, b)
	if err != nil {
		return err
	}
	for p, next := range from.next {
		held, err := c.rangeOf(r.Context(), b.topic, p)
		if err != nil {
			return err
		}
		if next > held.Next {
			return errBeyond
		}
	}
	if len(from.next) == 0 {
		return nil // the very beginning
	}
	c.acks.note(b, from)
	ctx, cancel := context.WithTimeout(r.Context(), brokerPatience)
	defer cancel()
	return c.patience(r.Context(), c.acks.commit(ctx, b.owner, b.topic))
}
