package bench

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// Where the simulated day and the official list of offices are, beside the project.
const (
	dayFile     = "../shared/data/load/events-2024-05-14.ndjson.gz"
	officesFile = "../shared/data/offices/liste-fs-20240801.full.nomail.csv"
)

// day hands the simulated day in, several times over with other ids, through
// hubctl's import, and waits until the last copy has been delivered.
func (b *bench) day(ctx context.Context) error {
	offices, day := filepath.Join(b.Root, officesFile), filepath.Join(b.Root, dayFile)
	for _, file := range []string{offices, day} {
		if _, err := os.Stat(file); err != nil {
			b.table.add(fmt.Sprintf("the simulated day × %d", b.Copies), "", "", "not measured: "+filepath.Base(file)+" is not there", "")
			return nil
		}
	}
	copies := filepath.Join(b.Folder, "day.ndjson.gz")
	lines, err := copyDay(day, copies, b.Copies, b.Lines)
	if err != nil {
		return err
	}
	hubctl, err := b.program(ctx, "hubctl")
	if err != nil {
		return err
	}
	return b.worlds(ctx, "day", false, func(w *world) error {
		ctl := func(args ...string) (string, error) {
			cmd := exec.CommandContext(ctx, hubctl, args...)
			cmd.Env = append(os.Environ(), "RELAIS_HUB="+w.hub)
			cmd.Dir = b.Folder
			out, err := cmd.CombinedOutput()
			if err != nil {
				return "", fmt.Errorf("hubctl %s: %w: %s", args[0], err, bytes.TrimSpace(out))
			}
			return string(out), nil
		}
		if _, err := ctl("directory", "import", "--yes", offices); err != nil {
			return err
		}
		b.say("%s engines: handing in %d lines", w.engines, lines)
		started := time.Now()
		report, err := ctl("import", "--feed", "neutral", "--streams", "16", "--restart", "--journal", filepath.Join(b.Folder, w.engines+".journal"), copies)
		if err != nil {
			return err
		}
		answered := time.Since(started)
		n, last, err := b.settled(ctx, 1, 10*time.Minute, w.delivered)
		if err != nil {
			return err
		}
		took := last.Sub(started)
		b.say("%s engines: %s", w.engines, report)
		b.table.add(fmt.Sprintf("the simulated day × %d (%s lines) through the whole road, %s engines", b.Copies, thousands(float64(lines)), w.engines),
			fmt.Sprintf("%s events/s; %s copies; %s; peak memory %s MB", thousands(float64(lines)/took.Seconds()), thousands(float64(n)), took.Round(time.Second), thousands(w.memory())), "", "", "")
		b.table.note(fmt.Sprintf("The day × %d, %s engines: `hubctl import` had its last outcome after %s, the last copy was delivered after %s. Memory is the peak of %d process(es) of the hub together, without Kafka and Redis.",
			b.Copies, w.engines, answered.Round(time.Second), took.Round(time.Second), len(w.processes)))
		return nil
	})
}

var dayID = regexp.MustCompile(`"[0-9a-f]{32}"`)

// copyDay writes the day so many times over, every 32-digit id with its first two
// digits changed by the copy, so that what names each other in a copy still does.
func copyDay(from, to string, copies, most int) (lines int, err error) {
	packed, err := os.ReadFile(from)
	if err != nil {
		return 0, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return 0, err
	}
	var day [][]byte
	scanner := bufio.NewScanner(z)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() && (most == 0 || len(day) < most) {
		if !json.Valid(scanner.Bytes()) {
			return 0, fmt.Errorf("%s: a line is not JSON", from)
		}
		day = append(day, bytes.Clone(scanner.Bytes()))
	}
	if err := scanner.Err(); err != nil {
		return 0, err
	}
	out, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	w, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return 0, err
	}
	for c := range copies {
		for _, line := range day {
			line = dayID.ReplaceAllFunc(line, func(id []byte) []byte {
				var first byte
				_, _ = fmt.Sscanf(string(id[1:3]), "%02x", &first)
				return append(fmt.Appendf(nil, `"%02x`, first^byte(c)), id[3:]...)
			})
			if _, err := w.Write(append(line, '\n')); err != nil {
				return 0, err
			}
			lines++
		}
	}
	return lines, errors.Join(w.Close(), out.Close())
}
