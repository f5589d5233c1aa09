package model

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	flagSchedules = flag.Int("model.schedules", 0, "how many random schedules to run; 0 for as many as fit in some seconds (RELAIS_MODEL_SCHEDULES)")
	flagSeed      = flag.Uint64("model.seed", 0, "the first seed; a failing one is run again with this (RELAIS_MODEL_SEED)")
	flagAll       = flag.Bool("model.all", false, "go on after a schedule that went wrong, and count them (RELAIS_MODEL_ALL)")
)

// enough is how long the schedules take that run by default.
const enough = 8 * time.Second

func setting(name string, flagged uint64) uint64 {
	if flagged != 0 {
		return flagged
	}
	n, _ := strconv.ParseUint(os.Getenv(name), 10, 64)
	return n
}

// TestRandomSchedules runs as many schedules as it is told to, or as fit in some
// seconds, from a seed that is printed.
func TestRandomSchedules(t *testing.T) {
	asked := int(setting("RELAIS_MODEL_SCHEDULES", uint64(*flagSchedules)))
	seed := setting("RELAIS_MODEL_SEED", *flagSeed)
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1_000_000_000
	}
	started, done, wrong := time.Now(), 0, 0
	for asked == 0 && time.Since(started) < enough || done < asked {
		var problems []string
		var told *story
		synctest.Test(t, func(*testing.T) { problems, told = run(seed + uint64(done)) })
		if len(problems) > 0 {
			wrong++
			if wrong == 1 {
				t.Errorf("seed %d went wrong; run it again alone: go test ./services/proof/model -run RandomSchedules -model.schedules 1 -model.seed %d\n\n%s\nWhat was wrong:\n%s",
					seed+uint64(done), seed+uint64(done), told, strings.Join(problems, "\n"))
			} else {
				t.Errorf("seed %d went wrong: %s", seed+uint64(done), firstLine(problems[0]))
			}
		}
		if done++; wrong > 0 && !*flagAll && os.Getenv("RELAIS_MODEL_ALL") == "" {
			break
		}
	}
	t.Logf("%d schedules from seed %d in %v, %d went wrong", done, seed, time.Since(started).Round(time.Millisecond), wrong)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
