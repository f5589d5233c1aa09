package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Secured is an Apache Kafka that asks who calls, as `deploy/local/kafka start
// --secure` has started it.
type Secured struct {
	// Brokers are the addresses for SCRAM, BrokersTLS those for certificates.
	Brokers, BrokersTLS []string
	// User and Password are the services'.
	User, Password string
	// CA is the file of who signs the certificates.
	CA string

	// Dir is the data folder.
	Dir string
}

// NewSecured is the cluster whose data folder RELAIS_SECURED names. Without one the
// test is skipped, or fails where RELAIS_REQUIRE names `secured`.
func NewSecured(t testing.TB) *Secured {
	t.Helper()
	dir := os.Getenv("RELAIS_SECURED")
	if dir == "" {
		Lacking(t, "secured", "RELAIS_SECURED names no data folder of `deploy/local/kafka start --secure`, so there is no Apache Kafka that asks who calls")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(Root(t), dir)
	}
	kafka := settings(t, dir, "kafka")
	if kafka["secure"] != 1 {
		t.Fatalf("RELAIS_SECURED names %s, whose brokers ask nobody", dir)
	}
	s := &Secured{User: "hub", CA: filepath.Join(dir, "kafka", "tls", "ca.pem"), Dir: dir}
	for n := range kafka["brokers"] {
		s.Brokers = append(s.Brokers, fmt.Sprintf("127.0.0.1:%d", kafka["port"]+n))
		s.BrokersTLS = append(s.BrokersTLS, fmt.Sprintf("127.0.0.1:%d", kafka["port"]+200+n))
	}
	password, err := os.ReadFile(filepath.Join(dir, "kafka", "hub.password"))
	if err != nil {
		t.Fatal(err)
	}
	s.Password = strings.TrimSpace(string(password))
	return s
}

// Certificate is one that its user signs in with.
func (s *Secured) Certificate(t testing.TB, user string) Certificate {
	t.Helper()
	Script(t, "kafka", "certificate", user, "--data", s.Dir)
	file := filepath.Join(s.Dir, "kafka", "tls", user)
	return Certificate{file + ".pem", file + ".key"}
}
