package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
	"github.com/relais-fr/relais/schemas"
)

const defaultRegistry = "http://127.0.0.1:8081"

// registryDoor asks a Confluent-compatible schema registry.
type registryDoor struct{ *door.Client }

// registryDoor is the registry at the address, or at that of the environment.
func (c *call) registryDoor(address string) (*registryDoor, error) {
	if address == "" {
		address = or(c.environment, "RELAIS_REGISTRY_URL", defaultRegistry)
	}
	client, err := c.dial(address, c.token)
	if err != nil {
		return nil, fmt.Errorf("--registry-url: %w", err)
	}
	return &registryDoor{client}, nil
}

// liveVersion is a version of a subject, as the registry gives it.
type liveVersion struct {
	Version int    `json:"version"`
	ID      int    `json:"id"`
	Text    string `json:"schema"`

	parsed schemas.AvroSchema
}

func (v liveVersion) writer(what string) writer {
	return writer{checkedVersion{What: what, Version: v.Version, ID: v.ID}, v.parsed}
}

// versions are a subject's that are live, oldest first.
func (r *registryDoor) versions(ctx context.Context, subject string) ([]liveVersion, error) {
	path := "/subjects/" + url.PathEscape(subject) + "/versions"
	var numbers []int
	if err := r.get(ctx, path, &numbers); err != nil {
		return nil, fmt.Errorf("versions of %s: %w", subject, err)
	}
	var all []liveVersion
	for _, n := range numbers {
		var v liveVersion
		if err := r.get(ctx, path+"/"+strconv.Itoa(n), &v); err != nil {
			return nil, fmt.Errorf("version %d of %s: %w", n, subject, err)
		}
		if err := v.parse(); err != nil {
			return nil, fmt.Errorf("version %d of %s: %w", n, subject, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// schema is the schema with an id.
func (r *registryDoor) schema(ctx context.Context, id int) (liveVersion, error) {
	v := liveVersion{ID: id}
	if err := r.get(ctx, "/schemas/ids/"+strconv.Itoa(id), &v); err != nil {
		return v, fmt.Errorf("schema %d: %w", id, err)
	}
	return v, v.parse()
}

func (v *liveVersion) parse() (err error) {
	v.parsed, err = schemas.ParseAvro(v.Text)
	return err
}

// registryError is what a registry says is wrong, in its own words.
type registryError struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

// registryHasNoSchema is the code of an id that it does not know.
const registryHasNoSchema = 40403

func (e *registryError) Error() string {
	return fmt.Sprintf("the registry says: %s [%d]", door.Printable(e.Message), e.Code)
}

// get asks; a registry's own words for what is wrong are told, and what to do where
// none answers.
func (r *registryDoor) get(ctx context.Context, path string, into any) error {
	err := r.Get(ctx, path, into)
	var away *door.AwayError
	var problem *door.Problem
	switch {
	case errors.As(err, &away):
		return fmt.Errorf("no schema registry answers at %s (%w): give its address with --registry-url, or --offline", away.Hub, away.Err)
	case errors.As(err, &problem):
		var said registryError
		if json.Unmarshal(problem.Raw, &said) == nil && said.Message != "" {
			return &said
		}
	}
	return err
}

// mailboxLooked is how many events of a mailbox are looked at: its first page, for
// to ask for a second acknowledges the first.
const mailboxLooked = 1000

// schemasInMailbox counts the events at the beginning of a mailbox by type and by
// the schema that they were written with.
func schemasInMailbox(ctx context.Context, client *door.Client) (byType map[string]map[int]int, read int, err error) {
	var events []struct {
		Type   string `json:"type"`
		Schema string `json:"dataschema"`
	}
	path := mailboxPath + "?limit=" + strconv.Itoa(mailboxLooked)
	if err := client.JSON(ctx, door.Request{Method: http.MethodGet, Path: path}, &events); err != nil {
		return nil, 0, err
	}
	byType = map[string]map[int]int{}
	for _, e := range events {
		id, err := strconv.Atoi(e.Schema[strings.LastIndexByte(e.Schema, '/')+1:])
		if err != nil {
			continue
		}
		if byType[e.Type] == nil {
			byType[e.Type] = map[int]int{}
		}
		byType[e.Type][id]++
	}
	return byType, len(events), nil
}
