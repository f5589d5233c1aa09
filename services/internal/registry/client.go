// Package registry is a client of a Confluent-compatible schema registry. What a
// registry says of an id never changes, so that every answer is remembered for
// ever. It knows how to ask; what a schema means is package schemas' matter.
package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
)

const (
	mediaType = "application/vnd.schemaregistry.v1+json"
	// maxAnswer bounds a schema's text as it comes from the registry.
	maxAnswer = 1 << 20
	// attempts and firstPause say how long a registry that does not answer is
	// asked again before the caller is told: some 700 ms.
	attempts   = 4
	firstPause = 100 * time.Millisecond
)

// Client asks one registry. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client

	mu      sync.Mutex
	schemas map[int]string
	ids     map[string]int
}

var _ schemas.SchemaSource = (*Client)(nil)

// New makes a client of the registry at base, http://host:port.
func New(base string, client *http.Client) *Client {
	return &Client{base: strings.TrimRight(base, "/"), http: client, schemas: map[int]string{}, ids: map[string]int{}}
}

// Schema is the text of the schema with the id. It returns
// schemas.ErrUnknownSchema when the registry says that there is none; any other
// error means that it did not answer.
func (c *Client) Schema(ctx context.Context, id int) (string, error) {
	c.mu.Lock()
	text, ok := c.schemas[id]
	c.mu.Unlock()
	if ok {
		return text, nil
	}
	var answer struct {
		Schema     string `json:"schema"`
		SchemaType string `json:"schemaType"`
	}
	err := c.ask(ctx, http.MethodGet, fmt.Sprintf("/schemas/ids/%d", id), nil, &answer)
	if refused := (*refusedError)(nil); errors.As(err, &refused) && refused.status == http.StatusNotFound {
		return "", fmt.Errorf("schema %d: %w", id, schemas.ErrUnknownSchema)
	}
	if err != nil {
		return "", fmt.Errorf("schema %d: %w", id, err)
	}
	if answer.SchemaType != "" && answer.SchemaType != "AVRO" {
		return "", fmt.Errorf("schema %d is not Avro: %w", id, schemas.ErrUnknownSchema)
	}
	c.mu.Lock()
	c.schemas[id] = answer.Schema
	c.mu.Unlock()
	return answer.Schema, nil
}

// ID is the id of the canonical schema of an event type, which is registered
// under its full name (RecordNameStrategy) if it is not yet.
func (c *Client) ID(ctx context.Context, typ string) (int, error) {
	c.mu.Lock()
	id, ok := c.ids[typ]
	c.mu.Unlock()
	if ok {
		return id, nil
	}
	entry, ok := schemas.Lookup(typ)
	if !ok {
		return 0, fmt.Errorf("%s is no event of ours", typ)
	}
	body, err := json.Marshal(map[string]string{"schema": entry.Schema, "schemaType": "AVRO"})
	if err != nil {
		return 0, err
	}
	var answer struct {
		ID int `json:"id"`
	}
	if err := c.ask(ctx, http.MethodPost, "/subjects/"+url.PathEscape(typ)+"/versions", body, &answer); err != nil {
		return 0, fmt.Errorf("id of %s: %w", typ, err)
	}
	if answer.ID <= 0 {
		return 0, fmt.Errorf("id of %s: the registry answered %d", typ, answer.ID)
	}
	c.mu.Lock()
	c.ids[typ] = answer.ID
	c.mu.Unlock()
	return answer.ID, nil
}

// refusedError is a definite no of the registry.
type refusedError struct {
	status  int
	message string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("the registry answered %d: %s", e.status, e.message)
}

// ask repeats a request until the registry has answered it with yes or no.
func (c *Client) ask(ctx context.Context, method, path string, body []byte, answer any) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := c.askOnce(ctx, method, path, body, answer)
		if refused := (*refusedError)(nil); err == nil || errors.As(err, &refused) && refused.status < 500 && refused.status != http.StatusTooManyRequests {
			return err
		}
		if attempt == attempts {
			return fmt.Errorf("%s does not answer: %w", c.base, err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(err, ctx.Err())
		case <-timer.C:
		}
		pause *= 2
	}
}

func (c *Client) askOnce(ctx context.Context, method, path string, body []byte, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", mediaType)
	if body != nil {
		request.Header.Set("Content-Type", mediaType)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		var said struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(data, &said)
		return &refusedError{response.StatusCode, said.Message}
	}
	return json.Unmarshal(data, answer)
}
