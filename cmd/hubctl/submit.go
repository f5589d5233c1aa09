package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/cmd/hubctl/internal/door"
	"github.com/relais-fr/relais/cmd/hubctl/internal/feed"
	"github.com/relais-fr/relais/schemas"
)

func submitCommand() command {
	return command{
		name: "submit", args: "[-|FILE]", short: "hand in one event",
		long: `
Hands in one event, put together from the flags, or a whole CloudEvent in JSON
from a file or, as -, from standard input. What a sender makes up for each event
is filled in where it is missing: id, time, source; the case's id for an event
that opens a case; the reference of a new referral.

Names of events are those of the catalogue: ReferralMade, ReferralAccepted …

  hubctl submit --as cnaf --type ReferralAccepted --subject CASE --data '{"planned_delay_days":5}' --wait
  hubctl submit --as demo-1 --type ReferralMade --data @referral.json --wait
  hubctl submit --wait - < event.json

With --wait the outcome is printed once the ledger has decided, and the exit code
is 1 for a refusal; without, only the place under which it can be asked for.`,
		set: func(flags *flag.FlagSet) func(context.Context, *call) error {
			s := &submission{attributes: map[string]string{}}
			flags.StringVar(&s.as, "as", "", "`participant` who hands in, such as cnaf or demo-1")
			flags.StringVar(&s.typ, "type", "", "`name` of the event, such as ReferralMade, or its full type")
			flags.StringVar(&s.event.Subject, "subject", "", "`id` of the case")
			flags.StringVar(&s.data, "data", "", "the event's fields as `JSON`; @file reads them from a file, - from standard input")
			flags.StringVar(&s.event.ID, "id", "", "`id` of the event; a random one by default")
			flags.StringVar(&s.event.Source, "source", "", "`source`; /participants/<participant>/hubctl by default")
			flags.StringVar(&s.time, "time", "", "when it happened, as `2026-05-14T09:30:00Z`; now by default")
			flags.Func("set", "any other `attribute=value`, such as priority=urgent; may be repeated", s.set)
			flags.Var(&s.wait, "wait", "wait for the outcome: --wait, or --wait=SECONDS")
			flags.BoolVar(&s.json, "json", false, "print the hub's answer as it is")
			return s.run
		},
	}
}

// submission is one call of submit.
type submission struct {
	as, typ, data, time string
	attributes          map[string]string
	wait                waitFlag
	json                bool
	event               schemas.Event
}

func (s *submission) set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || !slices.Contains(schemas.SenderAttributes, name) {
		return fmt.Errorf("give attribute=value, one of %s", strings.Join(schemas.SenderAttributes, ", "))
	}
	s.attributes[name] = value
	return nil
}

func (s *submission) run(ctx context.Context, c *call) error {
	var body []byte
	var err error
	switch {
	case len(c.args) > 1:
		return usage("one file at most")
	case len(c.args) == 1 && (s.typ != "" || s.data != ""):
		return usage("give a whole event, or --type and --data")
	case len(c.args) == 1:
		body, err = s.whole(c)
	default:
		body, err = s.made(c)
	}
	if err != nil {
		return err
	}
	client, err := c.client(s.as)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {schemas.StructuredContentType}}
	if s.wait > 0 {
		header.Set("Prefer", "wait="+strconv.Itoa(int(s.wait)))
	}
	answer, err := client.Bytes(ctx, door.Request{Method: http.MethodPost, Path: "/v1/events", Header: header, Body: body})
	if err != nil {
		return err
	}
	if s.json {
		_, err = c.out.Write(answer)
		return err
	}
	return s.print(c.out, answer)
}

// print tells the outcome, or the place where it can be asked for.
func (s *submission) print(w *printer, answer []byte) error {
	var a struct {
		Place    string   `json:"place"`
		Location string   `json:"location"`
		Outcome  string   `json:"outcome"`
		Sequence string   `json:"sequence"`
		Ignored  []string `json:"ignored"`
		First    *struct {
			Place string `json:"place"`
		} `json:"first"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("the hub's answer is not what was expected: %w", err)
	}
	word := a.Outcome
	if word == "" || word == "pending" {
		word = "accepted"
	}
	w.printf("%-8s %s  case %s", word, a.Place, s.event.Subject)
	if a.Sequence != "" {
		w.printf("  sequence %s", strings.TrimLeft(a.Sequence, "0"))
	}
	if a.First != nil {
		w.printf("  first handed in as %s", a.First.Place)
	}
	w.printf("\n")
	if word == "accepted" && s.wait > 0 {
		w.printf("         no outcome yet: GET %s tells it later\n", a.Location)
	}
	if len(a.Ignored) > 0 {
		w.printf("         ignored: %s\n", strings.Join(a.Ignored, ", "))
	}
	return nil
}

// whole reads a CloudEvent and fills in what is missing.
func (s *submission) whole(c *call) ([]byte, error) {
	text, err := c.read(c.args[0])
	if err != nil {
		return nil, err
	}
	flags := s.event
	if s.event, err = schemas.ParseStructured(text); err != nil {
		return nil, fmt.Errorf("%s: %w", name(c.args[0]), err)
	}
	for _, f := range []struct{ to, from *string }{{&s.event.ID, &flags.ID}, {&s.event.Source, &flags.Source}, {&s.event.Subject, &flags.Subject}} {
		if *f.from != "" {
			*f.to = *f.from
		}
	}
	for n, v := range s.event.Extensions {
		if _, ok := s.attributes[n]; !ok {
			s.attributes[n] = v
		}
	}
	if s.as == "" {
		s.as = s.event.Participant()
	}
	return s.fill()
}

// made puts the event together from the flags.
func (s *submission) made(c *call) ([]byte, error) {
	entry, ok := eventOf(s.typ)
	switch {
	case s.typ == "":
		return nil, usage("--type is missing: the name of an event, such as ReferralAccepted")
	case !ok:
		return nil, usage("--type %q is not in the catalogue; %s", s.typ, similar(s.typ))
	case s.as == "" && s.event.Source == "":
		return nil, usage("--as is missing: who hands in, such as cnaf")
	case s.event.Subject == "" && !entry.Opens:
		return nil, usage("--subject is missing: the id of the case that %s is about", entry.Name)
	}
	s.event.Type = entry.Type
	if s.data != "" {
		text := []byte(s.data)
		if s.data == "-" || strings.HasPrefix(s.data, "@") {
			var err error
			if text, err = c.read(strings.TrimPrefix(s.data, "@")); err != nil {
				return nil, err
			}
		}
		if !json.Valid(text) {
			return nil, usage("--data is not JSON: %s", clip(string(text)))
		}
		s.event.Data, s.event.DataContentType = text, schemas.JSONContentType
	}
	return s.fill()
}

// fill fills in what a sender makes up, and writes the event.
func (s *submission) fill() ([]byte, error) {
	e := &s.event
	if s.time != "" {
		t, err := time.Parse(time.RFC3339, s.time)
		if err != nil {
			return nil, usage("--time %q: give a time such as 2026-05-14T09:30:00Z", s.time)
		}
		e.Time = t
	}
	if e.Time.IsZero() {
		e.Time = time.Now().UTC().Truncate(time.Millisecond)
	}
	if e.ID == "" {
		e.ID = newUUID()
	}
	if e.Source == "" {
		e.Source = schemas.Source(s.as, "hubctl")
	}
	if s.as == "" {
		s.as = e.Participant()
	}
	if entry, ok := schemas.Lookup(e.Type); ok && entry.Opens && e.Subject == "" {
		e.Subject = newUUID()
	}
	if err := s.refer(); err != nil {
		return nil, err
	}
	e.Extensions = s.attributes
	if e.DataContentType != "" && e.DataContentType != schemas.JSONContentType {
		return nil, fmt.Errorf("data is %s: hubctl hands in %s", clip(e.DataContentType), schemas.JSONContentType)
	}
	return feed.Marshal(*e)
}

// refer gives a new referral the reference that the counsellor tells the person.
func (s *submission) refer() error {
	var fields map[string]json.RawMessage
	if s.event.Type != schemas.TypeReferralMade || json.Unmarshal(s.event.Data, &fields) != nil || fields["reference"] != nil {
		return nil
	}
	reference, err := schemas.NewReference(rand.Reader)
	if err != nil {
		return err
	}
	if fields == nil {
		return nil
	}
	fields["reference"], _ = json.Marshal(reference)
	s.event.Data, err = json.Marshal(fields)
	return err
}

// maxInput bounds what is read of a file or of standard input.
const maxInput = 2 << 20

// read reads a file, or standard input where the name is -.
func (c *call) read(file string) ([]byte, error) {
	in := c.in
	if file != "-" {
		f, err := os.Open(file) //nolint:gosec // the file is the one that was asked for
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name(file), err)
	case len(text) > maxInput:
		return nil, fmt.Errorf("%s is larger than %d bytes", name(file), maxInput)
	}
	return text, nil
}

func name(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// eventOf finds an event by its name or its full type.
func eventOf(name string) (schemas.Entry, bool) {
	if entry, ok := schemas.Lookup(name); ok {
		return entry, true
	}
	for _, entry := range schemas.Catalogue() {
		if strings.EqualFold(entry.Name, name) {
			return entry, true
		}
	}
	return schemas.Entry{}, false
}

// similar lists the events that may have been meant.
func similar(name string) string {
	var near, all []string
	for _, entry := range schemas.Catalogue() {
		if entry.Kind == schemas.KindHub {
			continue
		}
		all = append(all, entry.Name)
		if len(name) >= 4 && strings.Contains(strings.ToLower(entry.Name), strings.ToLower(name[:4])) {
			near = append(near, entry.Name)
		}
	}
	if len(near) == 0 {
		near = all
	}
	return "did you mean " + strings.Join(near, ", ") + "?"
}

func clip(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// newUUID is a UUIDv7 (RFC 9562): the time in milliseconds, then chance.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[6:]) // never fails
	ms := time.Now().UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (8 * (5 - i)))
	}
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// waitFlag is a number of seconds; given without one, it is a minute, the longest
// that the hub waits.
type waitFlag int

const maxWaitSeconds = 60

func (w *waitFlag) String() string { return strconv.Itoa(int(*w)) }

// IsBoolFlag lets the flag stand without a value.
func (w *waitFlag) IsBoolFlag() bool { return true }

func (w *waitFlag) Set(text string) error {
	switch text {
	case "true":
		*w = maxWaitSeconds
		return nil
	case "false":
		*w = 0
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxWaitSeconds {
		return fmt.Errorf("give seconds from 0 to %d", maxWaitSeconds)
	}
	*w = waitFlag(n)
	return nil
}
