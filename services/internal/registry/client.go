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
	"time"

	"github.com/relais-fr/relais/schemas"
)

const (
	mediaType = "application/vnd.schemaregistry.v1+json"
	// maxAnswer bounds an answer: a schema's text, escaped.
	maxAnswer = 4 * schemas.MaxSchemaBytes
	// attempts and firstPause say how long a registry that does not answer is
	// asked again before the caller is told: some 700 ms.
	attempts   = 4
	firstPause = 100 * time.Millisecond
)

// Client asks one registry. It is safe for concurrent use; callers who want the
// same answer at once share one request.
type Client struct {
	base string
	name string // base without its password
	http *http.Client

	schemas memory[int, string]
	ids     memory[string, int]
}

var _ schemas.SchemaSource = (*Client)(nil)

// New makes a client of the registry at base, http://host:port. It asks nothing
// yet.
func New(base string, client *http.Client) *Client {
	c := &Client{base: strings.TrimRight(base, "/"), name: base, http: client}
	if u, err := url.Parse(base); err == nil {
		c.name = u.Redacted()
	}
	return c
}

// Schema is the text of the schema with the id. It returns
// schemas.ErrUnknownSchema when the registry itself says that there is none; any
// other error means that it did not answer, or not as a registry does.
func (c *Client) Schema(ctx context.Context, id int) (string, error) {
	return c.schemas.get(ctx, id, func() (string, error) { return c.askSchema(ctx, id) })
}

func (c *Client) askSchema(ctx context.Context, id int) (string, error) {
	var answer struct {
		Schema     string `json:"schema"`
		SchemaType string `json:"schemaType"`
	}
	err := c.ask(ctx, http.MethodGet, fmt.Sprintf("/schemas/ids/%d", id), nil, &answer)
	// A 404 alone may come from a proxy, or from a wrong address.
	if refused := (*refusedError)(nil); errors.As(err, &refused) && refused.code == codeSchemaNotFound {
		return "", fmt.Errorf("schema %d: %w", id, schemas.ErrUnknownSchema)
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("schema %d: %w", id, err)
	case answer.SchemaType != "" && answer.SchemaType != "AVRO":
		return "", fmt.Errorf("schema %d is not Avro: %w", id, schemas.ErrUnknownSchema)
	case answer.Schema == "":
		return "", fmt.Errorf("schema %d: %s answered without a schema: is it a schema registry?", id, c.name)
	}
	return answer.Schema, nil
}

// ID is the id of the canonical schema of an event type, which is registered
// under its full name (RecordNameStrategy) if it is not yet.
func (c *Client) ID(ctx context.Context, typ string) (int, error) {
	return c.ids.get(ctx, typ, func() (int, error) { return c.askID(ctx, typ) })
}

func (c *Client) askID(ctx context.Context, typ string) (int, error) {
	entry, ok := schemas.Lookup(typ)
	if !ok {
		return 0, fmt.Errorf("%s is no event of ours", typ)
	}
	body, err := json.Marshal(map[string]string{"schema": entry.Schema})
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
		return 0, fmt.Errorf("id of %s: %s answered %d: is it a schema registry?", typ, c.name, answer.ID)
	}
	return answer.ID, nil
}

// codeSchemaNotFound is the registry's own word for an id that it does not have.
const codeSchemaNotFound = 40403

// refusedError is a definite no of whoever answered.
type refusedError struct {
	status  int
	code    int // the registry's, 0 when it was no registry
	message string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("the registry answered %d: %s", e.status, e.message)
}

// isFinal says whether asking again is in vain.
func isFinal(err error) bool {
	var refused *refusedError
	return errors.As(err, &refused) && refused.status < 500 &&
		refused.status != http.StatusTooManyRequests && refused.status != http.StatusRequestTimeout
}

// ask repeats a request until the registry has answered it with yes or no.
func (c *Client) ask(ctx context.Context, method, path string, body []byte, answer any) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := c.askOnce(ctx, method, path, body, answer)
		if err == nil || isFinal(err) {
			return err
		}
		if attempt == attempts || ctx.Err() != nil {
			return fmt.Errorf("%s does not answer: %w", c.name, err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%s does not answer: %w", c.name, errors.Join(err, ctx.Err()))
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
			Code    int    `json:"error_code"`
			Message string `json:"message"`
		}
		_ = json.Unmarshal(data, &said)
		return &refusedError{response.StatusCode, said.Code, said.Message}
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("the answer is not a registry's: %w", err)
	}
	return nil
}
