package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/relais-fr/relais/services/internal/telemetry"
)

// table is the results as they are told, in Markdown.
type table struct {
	head  []string
	rows  []line
	notes []string
}

// line is one row: a figure of ours, of a peer where there is one, and their ratio.
type line struct {
	what, ours, peer, ratio, target string
}

func (t *table) begin(b *bench) {
	t.head = []string{
		"Taken on " + time.Now().UTC().Format("2 January 2006, 15:04 MST") + " by `go run ./cmd/proof bench`.",
		"",
		"- machine: " + machine(),
		"- versions: " + strings.Join([]string{"Relais " + telemetry.Version(), runtime.Version(), "Apache Kafka and Kafka Streams " + kafkaVersion(b.Root), said("redis-server", "--version"), firstOf(said("java", "-version"))}, " · "),
		fmt.Sprintf("- real engines: %d Kafka broker(s), acks=all, min.insync.replicas=%s, and one Redis (append-only file, fsync every second), all on this machine, 12 partitions", b.Brokers, map[int]string{1: "1", 3: "2"}[b.Brokers]),
		fmt.Sprintf("- medians of %d, ours and the peer's in turn within each round; a ratio is the median of the rounds' ratios", b.Rounds),
	}
}

func (t *table) add(what, ours, peer, ratio, target string) {
	t.rows = append(t.rows, line{what, ours, peer, ratio, target})
}

func (t *table) note(text string) { t.notes = append(t.notes, text) }

func (t *table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What was measured\n\n%s\n\n| what | Relais | beside | ratio | wanted |\n| --- | --- | --- | --- | --- |\n", strings.Join(t.head, "\n"))
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.what, dash(r.ours), dash(r.peer), dash(r.ratio), dash(r.target))
	}
	for i, n := range t.notes {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "- %s\n", n)
	}
	return b.String()
}

func dash(s string) string {
	if s == "" {
		return "—"
	}
	return s
}

// median is the middle one, or the mean of the two in the middle.
func median[T int | int64 | float64 | time.Duration](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// quantile is the value that so much of the sorted values is not above.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// ratios are round by round, so that what changes between rounds changes neither.
func ratios(ours, theirs []float64) []float64 {
	var out []float64
	for i := range min(len(ours), len(theirs)) {
		if theirs[i] > 0 {
			out = append(out, ours[i]/theirs[i])
		}
	}
	return out
}

func ratio(ours, theirs []float64) string {
	if r := ratios(ours, theirs); len(r) > 0 {
		return fmt.Sprintf("**%.2f** (%.2f–%.2f)", median(r), slices.Min(r), slices.Max(r))
	}
	return ""
}

func rate(perSecond []float64, unit string) string {
	if len(perSecond) == 0 {
		return ""
	}
	return thousands(median(perSecond)) + " " + unit
}

// thousands writes 12345 as 12,345.
func thousands(f float64) string {
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func ms(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.0f", float64(d)/float64(time.Millisecond))
}

func seconds(ds []time.Duration) []float64 {
	out := make([]float64, len(ds))
	for i, d := range ds {
		out[i] = d.Seconds()
	}
	return out
}

func machine() string {
	model, memory := runtime.GOARCH, ""
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		model = field(string(info), "model name")
	}
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kb float64
		if _, err := fmt.Sscan(field(string(info), "MemTotal"), &kb); err == nil {
			memory = fmt.Sprintf(", %.0f GB", kb/1e6)
		}
	}
	return fmt.Sprintf("%d processors (%s)%s, %s/%s", runtime.NumCPU(), model, memory, runtime.GOOS, runtime.GOARCH)
}

func field(text, name string) string {
	for l := range strings.Lines(text) {
		if key, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// said is what a program says, "" where it is missing.
func said(program string, args ...string) string {
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return "no " + program
	}
	return firstOf(string(out))
}

func firstOf(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
