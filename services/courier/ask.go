package courier

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// cursorNow stands for the end of the mailbox as it is now.
	cursorNow    = "now"
	defaultLimit = 100
	maxLimit     = 1000
	maxWait      = 60 * time.Second
)

// ask is what a request wants.
type ask struct {
	box   box
	from  cursor
	now   bool
	limit int
	wait  time.Duration
}

// parseAsk reads the request's query and preferences.
func parseAsk(r *http.Request, b box) (ask, error) {
	a := ask{box: b, limit: defaultLimit, wait: preferredWait(r.Header.Values("Prefer"))}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return a, malformed("query: not percent-encoded as it should be")
	}
	if text := query.Get("limit"); text != "" {
		if a.limit, err = strconv.Atoi(text); err != nil || a.limit < 1 || a.limit > maxLimit {
			a.limit = defaultLimit
			return a, malformed(fmt.Sprintf("limit: 1 to %d", maxLimit))
		}
	}
	switch text := query.Get("cursor"); text {
	case "":
		a.from = newCursor()
	case cursorNow:
		a.now = true
	default:
		a.from, err = cursorOf(text, b)
	}
	return a, err
}

// cursorOf is a cursor that the box's owner hands in.
func cursorOf(text string, b box) (cursor, error) {
	from, err := parseCursor(text, b.owner)
	if err != nil {
		return cursor{}, malformed(err.Error())
	}
	for p := range from.next {
		if !slices.Contains(b.read, p) {
			return cursor{}, malformed(errCursor.Error())
		}
	}
	return from, nil
}

// preferredWait is the wait of `Prefer: wait=N` (RFC 7240) in seconds, at most
// maxWait; what cannot be read is no preference.
func preferredWait(prefer []string) time.Duration {
	for _, line := range prefer {
		for preference := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			value, _, _ = strings.Cut(value, ";")
			seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 32)
			if err != nil {
				return 0
			}
			return min(time.Duration(seconds)*time.Second, maxWait)
		}
	}
	return 0
}
