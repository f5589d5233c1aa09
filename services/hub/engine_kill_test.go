package hub

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// engineProcess names the data folder in a child process of this test.
const engineProcess = "RELAIS_TEST_ENGINE"

// TestMain lets the test binary be an engine process of its own, to be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(engineProcess); dir != "" {
		os.Exit(runEngine(dir))
	}
	os.Exit(m.Run())
}

func runEngine(dir string) int {
	addr := os.Getenv(engineProcess + "_ADDR")
	e, err := StartEmbedded(context.Background(), EmbeddedConfig{DataDir: dir, KafkaAddr: addr})
	if err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	fmt.Println(e.KafkaAddr())
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until the parent is gone
	return 0
}

// startProcess starts an engine process on the folder and returns its address
// and what kills it.
func startProcess(t *testing.T, dir, addr string) (string, func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), engineProcess+"="+dir, engineProcess+"_ADDR="+addr)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err, cmd.Start())
	kill := func() {
		_ = cmd.Process.Kill() // SIGKILL
		_ = cmd.Wait()
		_ = in.Close()
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "failed") {
		t.Fatalf("the engine process says %q, %v", line, err)
	}
	return strings.TrimSpace(line), kill
}

func TestNothingAcknowledgedIsLostInAKill(t *testing.T) {
	const topic = "relais.submitted"
	dir := filepath.Join(t.TempDir(), "data")
	addr, kill := startProcess(t, dir, enginetest.Address(t))
	b, err := broker.New(broker.Config{Brokers: []string{addr}, DrainTimeout: time.Second})
	must(t, err)
	defer func() { _ = b.Close() }()
	must(t, b.EnsureTopics(t.Context(), broker.TopicSpec{Name: topic, Partitions: 1, Settings: map[string]string{"retention.ms": "-1"}}))

	w := &writer{acked: map[int64]string{}}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { defer close(stopped); w.run(t, b, topic, stop) }()
	for range 3 {
		seen := w.count()
		await(t, "records are acknowledged", func() bool { return w.count() > seen+150 })
		kill()
		addr, kill = startProcess(t, dir, addr)
	}
	seen := w.count()
	await(t, "writing goes on", func() bool { return w.count() > seen+50 })
	close(stop)
	<-stopped
	must(t, b.Close())
	kill()
	assertThere(t, dir, topic, w)
}
