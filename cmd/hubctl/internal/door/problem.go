package door

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode"
)

// Problem is a problem document (RFC 9457) as the hub writes them: what is wrong
// in a sentence, where, and what to do.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Code is stable, for programs.
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy,omitempty"`

	// Place and Outcome are there when the problem is the outcome of an event
	// that was handed in, or of its first submission.
	Place   string `json:"place,omitempty"`
	Outcome string `json:"outcome,omitempty"`

	// Raw is the document as it came, for what else it says.
	Raw []byte `json:"-"`
}

// maxProblem bounds what is read of an answer that is an error.
const maxProblem = 4 << 20

// readProblem reads the answer's document, or makes one of what else it says.
func readProblem(res *http.Response) *Problem {
	data, _ := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	p := &Problem{}
	if json.Unmarshal(data, p) != nil || p.Title == "" {
		*p = Problem{Title: "The hub answered " + res.Status + ".", Detail: firstLine(string(data))}
	}
	p.Status, p.Raw = res.StatusCode, data
	return p
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if len(s) > 200 {
		s = s[:200]
	}
	return strings.ToValidUTF8(s, "")
}

// Error is the document in one line.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Title)
	if p.Detail != "" {
		fmt.Fprintf(&b, " (%s)", p.Detail)
	}
	if p.Remedy != "" {
		b.WriteString(" " + p.Remedy)
	}
	if p.Code != "" {
		fmt.Fprintf(&b, " [%s]", p.Code)
	}
	return b.String()
}

// Lines is the document for a person: sentence, detail, what to do, code.
func (p *Problem) Lines() string {
	var b strings.Builder
	fmt.Fprintln(&b, Printable(p.Title))
	for _, line := range []struct{ word, text string }{{"what", p.Detail}, {"do", p.Remedy}, {"code", p.Code}, {"place", p.Place}} {
		if line.text != "" {
			fmt.Fprintf(&b, "  %-6s %s\n", line.word, Printable(line.text))
		}
	}
	return b.String()
}

// Printable is text without what could drive a terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

// Passing says whether the same request may succeed later.
func (p *Problem) Passing() bool {
	return p.Status == http.StatusTooManyRequests || p.Status >= http.StatusInternalServerError
}
