package bulk

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/relais-fr/relais/schemas"
)

// journal is a file that says which lines have their outcome. It is only ever
// appended to, a line each:
//
//	{"journal":1,"sha256":"…","lines":52675,"format":"neutral"}
//	17 fact VisitRecorded 3-1042
//	18 refusal ReferralMade - unknown_service "service: not in the directory"
//	end
//
// After the end the import is over: the next one of the file begins anew.
//
// What a kill cut off in the middle of its last line is as if it had not been
// written: that line of the input is handed in again.
type journal struct {
	// anew says that an import that was over stood here before.
	anew bool

	mu   sync.Mutex
	file *os.File
	w    *bufio.Writer
	err  error
}

// heading is a journal's first line: what it is about.
type heading struct {
	Journal int    `json:"journal"`
	SHA256  string `json:"sha256"`
	Lines   int    `json:"lines"`
	Format  string `json:"format"`
}

const (
	journalVersion = 1
	journalEnd     = "end\n"
)

// openJournal opens the journal at path for the file described, or makes it, and
// gives what stands in it to each. What each was given does not count when the
// journal is then anew.
func openJournal(path string, about heading, each func(outcome)) (*journal, error) {
	about.Journal = journalVersion
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the file is the one that was asked for
	if err != nil {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the journal cannot be written (%w): give another place with --journal", err)
		}
		return nil, err
	}
	whole, ended, err := readJournal(f, path, about, each)
	if ended {
		whole = 0
	}
	if err == nil {
		err = f.Truncate(whole)
	}
	if err == nil {
		_, err = f.Seek(whole, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	j := &journal{anew: ended, file: f, w: bufio.NewWriterSize(f, 64<<10)}
	if whole == 0 {
		line, err := json.Marshal(about)
		if err != nil {
			panic(err)
		}
		j.write(append(line, '\n'))
	}
	return j, j.flush()
}

// readJournal reads what is there and says how many bytes of it are whole lines,
// and whether it has its end.
func readJournal(r io.Reader, path string, about heading, each func(outcome)) (whole int64, ended bool, err error) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		text, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return whole, ended, nil
		}
		if err != nil {
			return whole, ended, fmt.Errorf("read the journal: %w", err)
		}
		switch {
		case n == 1:
			err = about.check(text)
		case text == journalEnd:
			ended = true
		default:
			var o outcome
			if o, err = parseOutcome(strings.TrimSuffix(text, "\n"), about.Lines); err == nil {
				each(o)
			}
		}
		if err != nil {
			return whole, ended, fmt.Errorf("%s, line %d: %w; give another journal with --journal, or begin anew with --restart", path, n, err)
		}
		whole += int64(len(text))
	}
}

func (h heading) check(text string) error {
	var found heading
	if err := json.Unmarshal([]byte(text), &found); err != nil || found.Journal == 0 {
		return errors.New("this is no journal of an import")
	}
	if found != h {
		return errors.New("this is the journal of another file or another kind of import")
	}
	return nil
}

// add notes an outcome. An error shows at the next flush.
func (j *journal) add(o outcome) { j.write(append(appendOutcome(make([]byte, 0, 80), o), '\n')) }

func appendOutcome(line []byte, o outcome) []byte {
	place := "-"
	if o.result != resultRefusal || o.first != (schemas.Place{}) {
		place = o.first.String()
	}
	line = strconv.AppendInt(line, int64(o.line), 10)
	line = fmt.Appendf(line, " %s %s %s", o.result, nameOr(o.name, "-"), place)
	if o.reason != "" {
		line = fmt.Appendf(line, " %s %s", strings.ReplaceAll(o.reason, " ", "_"), strconv.QuoteToASCII(o.detail))
	}
	return line
}

func nameOr(name, other string) string {
	if name == "" {
		return other
	}
	return name
}

func parseOutcome(text string, lines int) (o outcome, err error) {
	bad := errors.New("it is not a line that an import writes")
	parts := strings.SplitN(text, " ", 6)
	if len(parts) != 4 && len(parts) != 6 || slices.Contains(parts, "") {
		return o, bad
	}
	if o.line, err = strconv.Atoi(parts[0]); err != nil || o.line < 1 || o.line > lines {
		return o, bad
	}
	switch o.result = result(parts[1]); o.result {
	case resultFact, resultRepeat, resultRefusal:
	default:
		return o, bad
	}
	if parts[2] != "-" {
		o.name = parts[2]
	}
	if parts[3] != "-" {
		if o.first, err = schemas.ParsePlace(parts[3]); err != nil {
			return o, bad
		}
	}
	if len(parts) == 6 {
		o.reason = parts[4]
		if o.detail, err = strconv.Unquote(parts[5]); err != nil {
			return o, bad
		}
	}
	return o, nil
}

func (j *journal) write(line []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		_, j.err = j.w.Write(line)
	}
}

// flush hands to the operating system what was noted: from then on it survives
// the end of this process.
func (j *journal) flush() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err = j.w.Flush()
	}
	if j.err != nil {
		return fmt.Errorf("write the journal: %w", j.err)
	}
	return nil
}

// end notes that every line has its outcome.
func (j *journal) end() { j.write([]byte(journalEnd)) }

func (j *journal) close() error {
	err := j.flush()
	return errors.Join(err, j.file.Close())
}
