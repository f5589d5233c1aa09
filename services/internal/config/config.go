// Package config holds the settings of a process: flags, with RELAIS_ and the
// upper-case flag name in the environment beneath them, and defaults beneath
// those. It reads no files and knows no service.
package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Settings are all settings of a process. Not every service uses each.
type Settings struct {
	HTTP     string // address of the HTTP door
	Kafka    string // address of the embedded broker (hub only)
	Registry string // address of the schema registry (hub only)
	Data     string // data folder of the embedded engines (hub only)

	Brokers     []string // real Kafka; empty for the embedded one
	Redis       string   // real Redis, redis://…; empty for the embedded one
	RegistryURL string   // schema registry to use

	Prefix      string // of topics and Redis keys
	Partitions  int    // N: partitions of submitted, recorded and to.*
	Replication int    // replication factor of topics that are made
	Durability  string // fsync or page-cache (embedded broker)
	LogLevel    slog.Level

	ProbeEvery time.Duration // between two probes of the clock; 0 for none
	// StatementKey is the file with the private key that signs statements (the
	// directory needs no more than the public one); empty for no statements, and
	// in the hub for one that it makes in its data folder.
	StatementKey string
	// StatementInterval is how long a statement's span is.
	StatementInterval time.Duration

	Security
}

// Durabilities of the embedded broker.
const (
	DurabilityFsync     = "fsync"
	DurabilityPageCache = "page-cache"
)

// Default are the settings of a service on its own, with its door at httpAddr.
func Default(httpAddr string) Settings {
	return Settings{
		HTTP:        httpAddr,
		Brokers:     []string{"127.0.0.1:9092"},
		Redis:       "redis://127.0.0.1:6379/0",
		RegistryURL: "http://127.0.0.1:8081",
		Prefix:      "relais",
		Partitions:  12,
		Replication: 1,
		Durability:  DurabilityFsync,
		ProbeEvery:  5 * time.Second,

		StatementInterval: time.Hour,
	}
}

// DefaultHub are the settings of the hub in one process.
func DefaultHub() Settings {
	s := Default("127.0.0.1:8080")
	s.Kafka, s.Registry, s.Data = "127.0.0.1:9092", "127.0.0.1:8081", "relais-data"
	s.Brokers, s.Redis, s.RegistryURL = nil, "", ""
	return s
}

// ErrHelp and ErrVersion are returned when the arguments ask for nothing else.
var (
	ErrHelp    = flag.ErrHelp
	ErrVersion = errors.New("version asked for")
)

// Parse reads args and the environment over the settings. It reports every problem
// in one go; help, where it is asked for, goes to w.
func (s Settings) Parse(name, about string, args []string, env func(string) (string, bool), w io.Writer) (Settings, error) {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	// What is wrong is the caller's to say, once, and without all the rest.
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	isHub := s.Kafka != ""
	fs.StringVar(&s.HTTP, "http", s.HTTP, "address of the HTTP door; port 0 takes a free one")
	if isHub {
		fs.StringVar(&s.Kafka, "kafka", s.Kafka, "address of the embedded Kafka door")
		fs.StringVar(&s.Registry, "registry", s.Registry, "address of the schema registry")
		fs.StringVar(&s.Data, "data", s.Data, "data folder of the embedded broker; it is made if missing")
		fs.StringVar(&s.Durability, "durability", s.Durability, "when the embedded broker acknowledges: fsync (on disk) or page-cache (survives kill -9, not a power cut)")
	}
	brokers := fs.String("brokers", strings.Join(s.Brokers, ","), "Apache Kafka, host:port[,host:port…]"+embeddedHint(isHub))
	fs.StringVar(&s.Redis, "redis", s.Redis, "Redis, redis://host:port/db"+embeddedHint(isHub))
	fs.StringVar(&s.RegistryURL, "registry-url", s.RegistryURL, "schema registry to use, http://host:port"+embeddedHint(isHub))
	fs.StringVar(&s.Prefix, "prefix", s.Prefix, "prefix of topics and Redis keys")
	fs.IntVar(&s.Partitions, "partitions", s.Partitions, "partitions of the hub's topics, fixed at their creation")
	fs.IntVar(&s.Replication, "replication", s.Replication, "replication factor of topics that are made (3 on a real cluster)")
	fs.DurationVar(&s.ProbeEvery, "probe-every", s.ProbeEvery, "how often the clock sends a probe through the whole road, such as 5s; 0 for never")
	keyHint := "without one none are issued"
	if isHub {
		keyHint = "without one the hub keeps its own in the data folder"
	}
	fs.StringVar(&s.StatementKey, "statement-key", s.StatementKey, "file with the Ed25519 key that signs statements, in PEM, for the observatory and the directory; "+keyHint)
	fs.DurationVar(&s.StatementInterval, "statement-interval", s.StatementInterval, "how long a statement's span is; an hour is the rule")
	securityParsed := s.flags(fs, isHub)
	level := fs.String("log-level", s.LogLevel.String(), "debug, info, warn or error")
	version := fs.Bool("version", false, "print the version and exit")

	var problems []error
	fs.VisitAll(func(f *flag.Flag) {
		key := "RELAIS_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v, ok := env(key); ok && f.Name != "version" {
			if err := f.Value.Set(v); err != nil {
				problems = append(problems, fmt.Errorf("%s=%q: %w", key, v, err))
			}
		}
	})
	if err := fs.Parse(args); errors.Is(err, ErrHelp) {
		_, _ = fmt.Fprintf(w, "%s: %s\n\nEvery setting is a flag, or RELAIS_ and its upper-case name in the environment\n(RELAIS_LOG_LEVEL for --log-level); a flag wins.\n\n", name, about)
		fs.SetOutput(w)
		fs.PrintDefaults()
		return s, ErrHelp
	} else if err != nil {
		return s, errors.Join(append(problems, err)...)
	}
	if *version {
		return s, ErrVersion
	}
	if fs.NArg() > 0 {
		problems = append(problems, fmt.Errorf("%q is not understood: settings are given as --name value", fs.Arg(0)))
	}
	securityParsed()
	s.Brokers = nil
	for b := range strings.SplitSeq(*brokers, ",") {
		if b = strings.TrimSpace(b); b != "" {
			s.Brokers = append(s.Brokers, b)
		}
	}
	if err := s.LogLevel.UnmarshalText([]byte(*level)); err != nil {
		problems = append(problems, fmt.Errorf("--log-level %q: use debug, info, warn or error", *level))
	}
	problems = append(problems, s.Validate()...)
	return s, errors.Join(problems...)
}

func embeddedHint(isHub bool) string {
	if isHub {
		return "; without it the hub runs its own"
	}
	return ""
}

// Validate lists everything that is wrong with the settings.
func (s Settings) Validate() []error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	for _, door := range []struct{ flag, addr string }{{"http", s.HTTP}, {"kafka", s.Kafka}, {"registry", s.Registry}} {
		if door.addr == "" {
			continue
		}
		host, port, err := net.SplitHostPort(door.addr)
		if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 || host == "" {
			bad("--%s %q: use host:port, such as 127.0.0.1:8080", door.flag, door.addr)
		} else if reason := s.mayLeaveLoopback(); reason != "" && !IsLoopback(door.addr) {
			bad("--%s %s is not on loopback: %s", door.flag, door.addr, reason)
		}
	}
	if s.Partitions < 1 || s.Partitions > 1000 {
		bad("--partitions %d: use 1 to 1000", s.Partitions)
	}
	if s.Replication < 1 || s.Replication > 9 {
		bad("--replication %d: use 1 to 9", s.Replication)
	}
	if s.ProbeEvery < 0 || s.ProbeEvery > 0 && s.ProbeEvery < 100*time.Millisecond {
		bad("--probe-every %s: use 100ms or more, or 0 for never", s.ProbeEvery)
	}
	if s.StatementInterval < time.Second || s.StatementInterval > 24*time.Hour || s.StatementInterval%time.Second != 0 {
		bad("--statement-interval %s: use whole seconds, from 1s to 24h", s.StatementInterval)
	}
	if s.Prefix == "" || strings.ContainsAny(s.Prefix, " /{}*") {
		bad("--prefix %q: use letters, digits, dots and hyphens", s.Prefix)
	}
	if s.Durability != DurabilityFsync && s.Durability != DurabilityPageCache {
		bad("--durability %q: use %s or %s", s.Durability, DurabilityFsync, DurabilityPageCache)
	}
	s.validateSecurity(bad)
	return problems
}

// Loopback says whether every door listens on loopback only.
func (s Settings) Loopback() bool {
	for _, addr := range []string{s.HTTP, s.Kafka, s.Registry} {
		if addr != "" && !IsLoopback(addr) {
			return false
		}
	}
	return true
}

// IsLoopback says whether addr, host:port, is on this machine's loopback.
func IsLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Env is the process's environment, for Parse.
func Env(key string) (string, bool) { return os.LookupEnv(key) }

// LogValue lists the settings for the log; a password in a URL is left out, and so
// is what a file of a secret holds.
func (s Settings) LogValue() slog.Value {
	redis := s.Redis
	if at := strings.LastIndex(redis, "@"); at >= 0 {
		redis = "redis://(credentials set)@" + redis[at+1:]
	}
	return slog.GroupValue(append([]slog.Attr{
		slog.String("http", s.HTTP), slog.String("kafka", s.Kafka), slog.String("registry", s.Registry),
		slog.String("data", s.Data), slog.Any("brokers", s.Brokers), slog.String("redis", redis),
		slog.String("registry_url", s.RegistryURL), slog.String("prefix", s.Prefix),
		slog.Int("partitions", s.Partitions), slog.Int("replication", s.Replication), slog.String("durability", s.Durability),
		slog.Duration("probe_every", s.ProbeEvery),
		slog.String("statement_key", s.StatementKey), slog.Duration("statement_interval", s.StatementInterval),
	}, s.attrs()...)...)
}
