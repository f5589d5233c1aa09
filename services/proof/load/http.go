package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// surpriseError is an answer after which it makes no sense to repeat.
type surpriseError struct{ what string }

func (e *surpriseError) Error() string { return e.what }

// httpClient hands in at one door or another.
type httpClient struct {
	doors  []string
	client *http.Client
}

// A client gives up on an answer after these; a hub that hangs is left for the next
// door.
const (
	answerLimit = 12 * time.Second
	outcomeWait = 6 * time.Second
)

// maxConnections bounds those to one door. Without it a door that hangs would be
// given thousands.
const maxConnections = 200

func newHTTPClient(t Target) *httpClient {
	return &httpClient{doors: t.Doors, client: &http.Client{Transport: &http.Transport{
		DialContext: t.Dial, MaxIdleConnsPerHost: 64, MaxConnsPerHost: maxConnections, IdleConnTimeout: 10 * time.Second,
	}}}
}

func (c *httpClient) close() { c.client.CloseIdleConnections() }

// wire is the event as a structured CloudEvent.
func (e *Event) wire() []byte {
	text, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": e.ID, "source": e.Source, "type": e.Type, "subject": e.Subject,
		"time": e.Attempted.UTC().Format(time.RFC3339), "datacontenttype": schemas.JSONContentType, "data": e.Data,
	})
	if err != nil {
		panic(err) // of strings and numbers
	}
	return text
}

// post hands an event in once. Half of the clients wait for the outcome.
func (c *httpClient) post(ctx context.Context, e *Event) (told, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.doors[rand.IntN(len(c.doors))]+"/v1/events", bytes.NewReader(e.wire()))
	if err != nil {
		return told{}, err
	}
	request.Header.Set("Authorization", "Bearer dev-"+e.By)
	request.Header.Set("Content-Type", schemas.StructuredContentType)
	if e.Dossier%2 == 0 {
		request.Header.Set("Prefer", fmt.Sprintf("wait=%d", int(outcomeWait/time.Second)))
	}
	response, err := c.client.Do(request)
	if err != nil {
		return told{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return told{}, err
	}
	var answer struct {
		Place, Outcome, Sequence, Code string
		First                          struct{ Reason string }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return told{}, fmt.Errorf("%s: %w", response.Status, err)
	}
	switch {
	case answer.Place != "" && answer.Code != "":
		// It was taken, and refused by the ledger: an outcome like another.
		return told{answer.Place, answer.Outcome + " " + answer.Code, ""}, nil
	case response.StatusCode == http.StatusOK, response.StatusCode == http.StatusAccepted:
		return told{answer.Place, answer.Outcome, answer.Sequence}, nil
	case response.StatusCode == http.StatusTooManyRequests, response.StatusCode >= 500:
		return told{}, fmt.Errorf("%s: %s", response.Status, answer.Code)
	}
	return told{}, &surpriseError{fmt.Sprintf("%s: %s", response.Status, body)}
}
