//go:build unix

package e2e

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/relais-fr/relais/services/internal/enginetest"
)

// TestExamplesSignInToASecuredKafka runs the examples on an Apache Kafka that asks who
// calls: by SCRAM, and kcat by a certificate, as the README beside it says. It cannot
// sign in by SCRAM there where its librdkafka is that of Debian 12.
func TestExamplesSignInToASecuredKafka(t *testing.T) {
	ofOneProcess(t)
	kafka := enginetest.NewSecured(t)
	dir := t.TempDir()
	password := filepath.Join(dir, "hub.password")
	if err := os.WriteFile(password, []byte(kafka.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	h := ownHub(t, dir, "--secure", "--brokers", strings.Join(kafka.Brokers, ","), "--kafka-user", kafka.User, "--kafka-password-file", password)
	admin := strings.TrimSpace(read(t, filepath.Join(dir, "data", "admin.key")))
	for _, x := range examples {
		t.Run(x.name, func(t *testing.T) {
			words, by := x.ready(t, filepath.Join(root, "deploy", "examples", x.name))
			way, who := "scram", "operator-"+strings.ToLower(rand.Text()[:8])
			if x.name == "kcat" {
				way = "mtls"
			}
			told := letIn(t, httpClient, h.http, admin, who, way)
			s := newSystem(t, h, x.name, who, words, by)
			orders, one, two := s.orders()
			s.env = []string{"RELAIS_PASSWORD=" + told.Kafka.Password, "RELAIS_KEY=" + told.HTTP.APIKey}
			if x.name == "kcat" {
				own := kafka.Certificate(t, who)
				s.env = []string{
					"RELAIS_BROKERS=" + strings.Join(kafka.BrokersTLS, ","), "RELAIS_KEY=" + told.HTTP.APIKey,
					"RELAIS_CA=" + kafka.CA, "RELAIS_CERT=" + own.CertFile, "RELAIS_CERT_KEY=" + own.KeyFile,
				}
			}
			s.hand(orders)
			receiving := s.start()
			s.keeps(one, two+".corrected")
			receiving.kill()
		})
	}
}
