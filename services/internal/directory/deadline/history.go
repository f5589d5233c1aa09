package deadline

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// settingPrefix begins the names of the settings that are deadlines.
const settingPrefix = "deadline."

// Setting is the name of the rule's setting on relais.directory.
func (r Rule) Setting() string { return settingPrefix + string(r) }

// RuleOf is the rule that a setting of that name changes; ok is false for a
// setting that is no deadline at all.
func RuleOf(setting string) (r Rule, ok bool) {
	name, ok := strings.CutPrefix(setting, settingPrefix)
	return Rule(name), ok
}

// change is one line of a rule's history.
type change struct {
	// From is since when it is in force, by receivedtime.
	From time.Time `json:"from"`
	// Service is the code of the service that it is for; empty for all that have
	// none of their own.
	Service string `json:"service,omitempty"`
	// Span is `45 days`; empty where the service has no rule of its own any more,
	// or the default holds again.
	Span string `json:"span,omitempty"`

	span Span
}

// history is a rule's changes, the oldest first.
type history []change

func parseHistory(r Rule, value string) (history, error) {
	var h history
	if err := json.Unmarshal([]byte(value), &h); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", r.Setting(), ErrUnreadable, err)
	}
	for i := range h {
		if h[i].Span == "" {
			continue
		}
		var err error
		if h[i].span, err = ParseSpan(h[i].Span); err == nil {
			err = r.Check(h[i].span)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", r.Setting(), ErrUnreadable, err)
		}
	}
	return h, nil
}

// at is what the history says of exactly that service at a time.
func (h history) at(service string, t time.Time) (Span, bool) {
	for _, c := range slices.Backward(h) {
		if c.Service == service && !c.From.After(t) {
			return c.span, c.span != Span{}
		}
	}
	return Span{}, false
}

// lead is how long after it was made a change comes into force. Facts that are
// received until then may have been folded by a clock that has not seen the change
// yet; folded again, they must give the same.
const lead = time.Minute

// ServiceOf is the service that what an admin writes is for; empty for all.
func ServiceOf(asked string) string {
	_, service, _ := strings.Cut(asked, " for ")
	return strings.TrimSpace(service)
}

// Change is the setting's next value: the history with one more line, in force a
// minute after now. What an admin writes is `45 days`, or `45 days for
// logement/expulsion-du-logement`; `default` takes a rule back. The error says
// what to write instead.
func Change(setting, stored, asked string, now time.Time) (value string, err error) {
	r, ok := RuleOf(setting)
	if !ok || r.known() == nil {
		return "", fmt.Errorf("%q is no clock with a deadline: those are %s", strings.TrimPrefix(setting, settingPrefix), names())
	}
	var h history
	if stored != "" {
		if h, err = parseHistory(r, stored); err != nil {
			return "", err
		}
	}
	text, service, forOne := strings.Cut(strings.TrimSpace(asked), " for ")
	next := change{From: now.Add(lead).UTC().Truncate(time.Millisecond), Service: strings.TrimSpace(service)}
	if forOne && (next.Service == "" || strings.ContainsAny(next.Service, " \t\n")) {
		return "", fmt.Errorf("%q is no service: write `45 days for logement/expulsion-du-logement`", service)
	}
	if strings.TrimSpace(text) != "default" {
		span, err := ParseSpan(text)
		if err != nil {
			return "", err
		}
		if err := r.Check(span); err != nil {
			return "", err
		}
		next.Span = span.String()
	}
	if n := len(h); n > 0 && next.From.Before(h[n-1].From) {
		// Two changes within the lead, or a clock that went back: never out of order.
		next.From = h[n-1].From
	}
	data, err := json.Marshal(append(h, next))
	if err != nil {
		return "", fmt.Errorf("write %s: %w", setting, err)
	}
	return string(data), nil
}
