package bulk

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"

	"github.com/relais-fr/relais/cmd/hubctl/internal/feed"
)

// maxLine bounds a line, as the hub's door does.
const maxLine = 1 << 20

// input is a file of lines, gzipped or not.
type input struct{ path string }

// lines calls do for each line from 1 on, without its end. A blank line is an
// empty one; tooLong comes with no text. The text is valid until do returns.
func (in input) lines(ctx context.Context, do func(n int, line []byte, tooLong bool) error) error {
	f, err := os.Open(in.path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return in.read(ctx, f, do)
}

func (in input) read(ctx context.Context, r io.Reader, do func(n int, line []byte, tooLong bool) error) error {
	packed := bufio.NewReaderSize(r, 64<<10)
	var text io.Reader = packed
	if magic, _ := packed.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(packed)
		if err != nil {
			return fmt.Errorf("%s is not gzip: %w", in.path, err)
		}
		text = z
	}
	reader := bufio.NewReaderSize(text, 64<<10)
	var line []byte
	for n := 1; ; n++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var tooLong bool
		var err error
		line, tooLong, err = readLine(reader, line[:0])
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s is damaged after line %d: %w", in.path, n-1, err)
		}
		if err != nil && len(line) == 0 && !tooLong {
			return nil
		}
		if err := do(n, bytes.TrimSpace(line), tooLong); err != nil {
			return err
		}
	}
}

// readLine appends the next line to buffer; the error is io.EOF at the end, also
// for a last line without an end.
func readLine(r *bufio.Reader, buffer []byte) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if tooLong = tooLong || len(buffer)+len(part) > maxLine; tooLong {
			buffer = buffer[:0]
		} else {
			buffer = append(buffer, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return buffer, tooLong, err
		}
	}
}

// survey is what a first look at a file tells.
type survey struct {
	Lines  int
	Blank  int
	SHA256 string
	// late are the dossiers of which a line stands before the one that opens them.
	// All their lines but that one are handed in after all others.
	late map[string]bool
}

// look reads the whole file once.
func (in input) look(ctx context.Context, format feed.Format) (survey, error) {
	s := survey{late: map[string]bool{}}
	f, err := os.Open(in.path)
	if err != nil {
		return s, err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	raw := io.TeeReader(f, sum)
	// Of dossiers that are open only a hash is kept: there are as many as lines.
	seed := maphash.MakeSeed()
	opened, orphans := map[uint64]struct{}{}, map[string]bool{}
	err = in.read(ctx, raw, func(n int, line []byte, tooLong bool) error {
		s.Lines = n
		if len(line) == 0 && !tooLong {
			s.Blank++
			return nil
		}
		o := format.Outline(line)
		mark := maphash.String(seed, o.Dossier)
		_, open := opened[mark]
		switch {
		case o.Dossier == "":
		case o.First:
			opened[mark] = struct{}{}
			if orphans[o.Dossier] {
				s.late[o.Dossier] = true
				delete(orphans, o.Dossier)
			}
		case !open:
			orphans[o.Dossier] = true
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	// What stands behind the last line belongs to the file too.
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return s, fmt.Errorf("read %s: %w", in.path, err)
	}
	s.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return s, nil
}
