package enginetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Local is the engines that `deploy/local/up --engines` has started: brokers of
// Apache Kafka and a Redis, as processes of their own. Tests that break them run
// one after the other: give `go test` -p 1, as .ci/run does.
type Local struct {
	// Brokers are the addresses of all brokers, by number from 1.
	Brokers []string
	// Redis is the server's address.
	Redis string
	// Dir is the data folder.
	Dir string
}

// NewLocal is the engines whose data folder RELAIS_ENGINES names. Without one the
// test is skipped, or fails where RELAIS_REQUIRE names `kafka`.
func NewLocal(t testing.TB) *Local {
	t.Helper()
	dir := os.Getenv("RELAIS_ENGINES")
	if dir == "" {
		Lacking(t, "kafka", "RELAIS_ENGINES names no data folder of deploy/local/up, so there is no Apache Kafka to try it on")
	}
	l := &Local{Dir: dir}
	if !filepath.IsAbs(dir) {
		l.Dir = filepath.Join(Root(t), dir)
	}
	kafka, redis := settings(t, l.Dir, "kafka"), settings(t, l.Dir, "redis")
	for n := range kafka["brokers"] {
		l.Brokers = append(l.Brokers, fmt.Sprintf("127.0.0.1:%d", kafka["port"]+n))
	}
	l.Redis = fmt.Sprintf("127.0.0.1:%d", redis["port"])
	return l
}

// settings are what the scripts keep of an engine: names and numbers.
func settings(t testing.TB, dir, engine string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, engine, "settings"))
	if err != nil {
		t.Fatalf("RELAIS_ENGINES names %s, where no engines were started: %v", dir, err)
	}
	numbers := map[string]int{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if numbers[name], err = strconv.Atoi(value); err != nil {
			t.Fatalf("%s: %s: %v", dir, line, err)
		}
	}
	return numbers
}

// Kill ends broker n, from 1, as a crash would.
func (l *Local) Kill(t testing.TB, n int) { l.Kafka(t, "kill", strconv.Itoa(n)) }

// Stop ends all brokers, in good order.
func (l *Local) Stop(t testing.TB) { l.Kafka(t, "stop") }

// Start starts the brokers that do not run, and waits until all answer.
func (l *Local) Start(t testing.TB) { l.Kafka(t, "start") }

// Log is the folder of broker n's data.
func (l *Local) Log(n int) string { return filepath.Join(l.Dir, "kafka", strconv.Itoa(n)) }

// Kafka runs deploy/local/kafka on these engines.
func (l *Local) Kafka(t testing.TB, args ...string) {
	t.Helper()
	Script(t, "kafka", append(args, "--data", l.Dir)...)
}

// Script runs one of deploy/local's scripts and returns what it prints.
func Script(t testing.TB, name string, args ...string) string {
	t.Helper()
	said, err := script(Root(t), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// RunScript runs one of deploy/local's scripts where there is no test any more.
func RunScript(name string, args ...string) error {
	root, err := findRoot()
	if err == nil {
		_, err = script(root, name, args...)
	}
	return err
}

func script(root, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(root, "deploy", "local", name), args...)
	// What it starts outlives it, and must not hold its output open.
	out, err := os.CreateTemp("", "relais-"+name)
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Close(); _ = os.Remove(out.Name()) }()
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	said, readErr := os.ReadFile(out.Name())
	if err != nil || readErr != nil {
		return "", fmt.Errorf("deploy/local/%s %s: %w %w\n%s", name, strings.Join(args, " "), err, readErr, said)
	}
	return string(said), nil
}

// RedisServer is a redis-server of one test, as deploy/local starts it.
type RedisServer struct {
	Addr string
	// Dir is where it keeps its data.
	Dir string

	t    testing.TB
	data string
}

// NewRedisServer starts a server that ends with the test. Without redis-server the
// test is skipped, or fails where RELAIS_REQUIRE names `redis`.
func NewRedisServer(t testing.TB) *RedisServer {
	t.Helper()
	Program(t, "redis", "redis-server")
	r := &RedisServer{t: t, data: t.TempDir()}
	r.Dir = filepath.Join(r.data, "redis")
	t.Cleanup(r.Stop)
	r.Addr = Address(t)
	_, port, _ := net.SplitHostPort(r.Addr)
	Script(t, "redis", "start", "--port", port, "--data", r.data)
	return r
}

// Start starts the server again, with what it kept.
func (r *RedisServer) Start() { Script(r.t, "redis", "start", "--data", r.data) }

// Stop ends the server in good order.
func (r *RedisServer) Stop() { Script(r.t, "redis", "stop", "--data", r.data) }

// Kill ends the server as a crash would.
func (r *RedisServer) Kill() { Script(r.t, "redis", "kill", "--data", r.data) }
