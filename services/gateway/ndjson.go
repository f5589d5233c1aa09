package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/relais-fr/relais/schemas"
)

const (
	// maxLine bounds one line of a stream.
	maxLine = maxSingleBody
	// window is how many lines of one stream may wait for their answer.
	window = 4096
	// idleLimit is how long a stream may bring nothing.
	idleLimit = 60 * time.Second
)

// stream takes one structured event a line and answers each with a line, in
// order, while more lines come. It is slowed down rather than refused: by the
// caller's allowance, by a full buffer, and by a caller who does not read.
func (q *request) stream(ctx context.Context) {
	control := http.NewResponseController(q.w)
	// HTTP/1 may read and write at once only if asked to; where that is not to be
	// had, the answers come when the body has ended or the buffers are full.
	_ = control.EnableFullDuplex()
	body, err := unpacked(&patientReader{body: q.r.Body, control: control}, q.r.Header.Get("Content-Encoding"))
	if err != nil {
		q.refuseAll(err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q.w.Header().Set("Content-Type", ndjsonContentType)
	q.w.Header().Set("Cache-Control", "no-store")
	q.w.WriteHeader(http.StatusOK)
	out := &lineWriter{w: bufio.NewWriterSize(q.w, 32<<10), control: control}
	if out.flush() != nil {
		return
	}

	sentLines := make(chan *submission, window)
	written := make(chan *submission, window)
	var answering sync.WaitGroup
	answering.Go(func() {
		defer close(written)
		for s := range sentLines {
			s.acknowledge(ctx)
			written <- s
		}
	})
	answering.Go(func() {
		for s := range flushing(written, out) {
			if out.write(ctx, s) != nil {
				// Nobody reads the answers: the lines end here.
				cancel()
				_ = control.SetReadDeadline(time.Now())
			}
		}
	})
	q.readLines(ctx, bufio.NewReaderSize(body, 64<<10), sentLines)
	close(sentLines)
	answering.Wait()
	_ = out.flush()
}

// flushing are the submissions of the channel; what was answered is sent off
// before the next one has to be waited for.
func flushing(submissions <-chan *submission, out *lineWriter) iter.Seq[*submission] {
	return func(yield func(*submission) bool) {
		for {
			var s *submission
			var ok bool
			select {
			case s, ok = <-submissions:
			default:
				_ = out.flush()
				s, ok = <-submissions
			}
			if !ok || !yield(s) {
				return
			}
		}
	}
}

// readLines submits line after line until the body or ctx ends.
func (q *request) readLines(ctx context.Context, body *bufio.Reader, lines chan<- *submission) {
	l := q.newLane(true)
	var line []byte
	for n := 1; ctx.Err() == nil; n++ {
		var err error
		line, err = readLine(body, line[:0])
		event, broken, skip := q.readEvent(line, err)
		if !skip {
			if q.limiter.pace(ctx, q.by, 1) != nil {
				return
			}
			s := q.submit(ctx, l, event, broken)
			s.answer.Line = n
			select {
			case lines <- s:
			case <-ctx.Done():
				return
			}
		}
		if err != nil && !errors.Is(err, errLineTooLong) {
			return
		}
	}
}

// readEvent reads the event of a line. A blank line is skipped, and so is one that
// did not arrive whole.
func (q *request) readEvent(line []byte, err error) (event schemas.Event, broken error, skip bool) {
	switch {
	case errors.Is(err, errLineTooLong):
		return event, refuse(schemas.ReasonTooLarge, "line: at most %d bytes", maxLine), false
	case err != nil && !errors.Is(err, io.EOF):
		broken = bodyTrouble(err)
		return event, broken, errors.Is(broken, errBodyLost)
	}
	if line = bytes.TrimSpace(line); len(line) == 0 {
		return event, nil, true
	}
	event, broken = structuredEvent(line, q.by, channelHTTP)
	return event, broken, false
}

var errLineTooLong = errors.New("the line is too long")

// readLine appends the next line to buffer, without holding more of it than is
// allowed. After errLineTooLong the next line can be read; after any other error
// there is none.
func readLine(body *bufio.Reader, buffer []byte) ([]byte, error) {
	tooLong := false
	for {
		part, err := body.ReadSlice('\n')
		tooLong = tooLong || len(buffer)+len(part) > maxLine
		if tooLong {
			buffer = buffer[:0]
		} else {
			buffer = append(buffer, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case tooLong && (err == nil || errors.Is(err, io.EOF)):
			return buffer, errLineTooLong
		default:
			return buffer, err
		}
	}
}

// patientReader gives a stream's body a deadline from read to read.
type patientReader struct {
	body    io.Reader
	control *http.ResponseController
}

func (p *patientReader) Read(b []byte) (int, error) {
	_ = p.control.SetReadDeadline(time.Now().Add(idleLimit))
	return p.body.Read(b)
}

// lineWriter writes answers as lines, and sends them off whenever the next one
// would have to be waited for.
type lineWriter struct {
	w       *bufio.Writer
	control *http.ResponseController
	err     error
}

func (o *lineWriter) write(ctx context.Context, s *submission) error {
	if o.err != nil {
		return o.err
	}
	if s.outcome != nil && len(s.outcome) == 0 {
		if err := o.flush(); err != nil {
			return err
		}
	}
	s.await(ctx)
	line, err := json.Marshal(&s.answer)
	if err != nil {
		panic(err)
	}
	if _, o.err = o.w.Write(append(line, '\n')); o.err != nil {
		return o.err
	}
	return nil
}

func (o *lineWriter) flush() error {
	if o.err != nil {
		return o.err
	}
	_ = o.control.SetWriteDeadline(time.Now().Add(answerLimit))
	if o.err = o.w.Flush(); o.err == nil {
		o.err = o.control.Flush()
	}
	if errors.Is(o.err, http.ErrNotSupported) {
		o.err = nil
	}
	return o.err
}
