package ledger

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/lifecycle"
)

// stateFormat is the format of a stored dossier. A state of another format
// counts as absent, so that a build that changes dossier must change it.
const stateFormat = "2"

// errState says that what is stored is no dossier as encode writes it.
var errState = errors.New("a stored dossier is not readable")

// encode writes a dossier as it is stored: numbers as varints, texts after their
// length, and a source that stood there before by its number. It is done for
// every dossier of every step, so that it is not left to reflection.
func (d *dossier) encode() []byte {
	w := stateWriter{make([]byte, 0, 64+256*len(d.Cases)+128*len(d.Seen))}
	w.number(int64(d.Rules))
	w.number(d.Sequence)
	w.number(d.Last)
	w.number(int64(len(d.Cases)))
	for i := range d.Cases {
		w.kase(&d.Cases[i])
	}
	w.number(int64(len(d.Seen)))
	var sources []string
	for i := range d.Seen {
		s := &d.Seen[i]
		known := slices.Index(sources, s.Source)
		w.number(int64(known + 1))
		if known < 0 {
			sources = append(sources, s.Source)
			w.text(s.Source)
		}
		w.text(s.ID)
		w.text(string(s.Digest))
		w.text(s.Place)
		w.text(string(s.Reason))
	}
	return w.b
}

// decodeDossier reads what encode wrote; no bytes are a dossier that nobody has
// opened. The dossier keeps data: it must not be changed.
func decodeDossier(data []byte) (*dossier, error) {
	d := new(dossier)
	if len(data) == 0 {
		return d, nil
	}
	r := stateReader{rest: string(data)}
	d.Rules, d.Sequence, d.Last = int(r.number()), r.number(), r.number()
	if n := r.count(); n > 0 {
		d.Cases = make([]kase, n)
	}
	for i := range d.Cases {
		r.kase(&d.Cases[i])
	}
	if n := r.count(); n > 0 {
		// What is decided next is remembered too.
		d.Seen = make([]seen, n, n+2)
	}
	var sources []string
	for i := range d.Seen {
		s := &d.Seen[i]
		switch known := r.number(); {
		case known == 0:
			s.Source = r.text()
			sources = append(sources, s.Source)
		case known > 0 && known <= int64(len(sources)):
			s.Source = sources[known-1]
		default:
			r.bad = true
		}
		s.ID = r.text()
		if n := r.count(); n > 0 {
			from := len(data) - len(r.rest)
			s.Digest = data[from : from+n : from+n]
			r.rest = r.rest[n:]
		}
		s.Place, s.Reason = r.text(), schemas.Reason(r.text())
	}
	if r.bad || r.rest != "" {
		return nil, errState
	}
	return d, nil
}

type stateWriter struct{ b []byte }

func (w *stateWriter) number(n int64) { w.b = binary.AppendVarint(w.b, n) }

func (w *stateWriter) text(s string) {
	w.number(int64(len(s)))
	w.b = append(w.b, s...)
}

// The flags of a stored case.
const (
	flagSenderOffice = 1 << iota
	flagRecipientOffice
	flagHasChild
)

func (w *stateWriter) kase(c *kase) {
	for _, s := range [...]string{
		c.ID, string(c.Kind), string(c.State), string(c.Interrupted), c.Opened, c.Entered, c.Paused,
		c.Sender, c.Recipient, c.Child, c.Competent, c.Referral,
	} {
		w.text(s)
	}
	w.number(c.Since)
	w.number(c.Starts)
	flags := int64(0)
	if c.SenderOffice {
		flags |= flagSenderOffice
	}
	if c.RecipientOffice {
		flags |= flagRecipientOffice
	}
	if c.HasChild {
		flags |= flagHasChild
	}
	w.number(flags)
}

// stateReader reads what stateWriter wrote. What cannot be read makes it bad, and
// everything after that empty.
type stateReader struct {
	rest string
	bad  bool
}

func (r *stateReader) number() int64 {
	var u uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		b := r.rest[i]
		u |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			r.rest = r.rest[i+1:]
			return int64(u>>1) ^ -int64(u&1)
		}
	}
	r.rest, r.bad = "", true
	return 0
}

// count is a number of things, each of which takes a byte at least.
func (r *stateReader) count() int {
	n := r.number()
	if n < 0 || n > int64(len(r.rest)) {
		r.rest, r.bad = "", true
		return 0
	}
	return int(n)
}

func (r *stateReader) text() string {
	n := r.count()
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *stateReader) kase(c *kase) {
	c.ID, c.Kind, c.State, c.Interrupted = r.text(), schemas.Kind(r.text()), lifecycle.State(r.text()), lifecycle.State(r.text())
	c.Opened, c.Entered, c.Paused = r.text(), r.text(), r.text()
	c.Sender, c.Recipient, c.Child, c.Competent, c.Referral = r.text(), r.text(), r.text(), r.text(), r.text()
	c.Since, c.Starts = r.number(), r.number()
	flags := r.number()
	c.SenderOffice, c.RecipientOffice, c.HasChild = flags&flagSenderOffice != 0, flags&flagRecipientOffice != 0, flags&flagHasChild != 0
}

// remember adds a submission to those that are remembered. Its texts are copied:
// they were cut from the whole of the submission's headers, which a dossier kept
// in memory would keep too.
func (d *dossier) remember(s seen) {
	s.ID = strings.Clone(s.ID)
	if i := slices.IndexFunc(d.Seen, func(other seen) bool { return other.Source == s.Source }); i >= 0 {
		s.Source = d.Seen[i].Source
	} else {
		s.Source = strings.Clone(s.Source)
	}
	d.Seen = append(d.Seen, s)
}
