package topic_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/relais-fr/relais/cmd/hubctl/internal/topic"
)

// ownCertificate makes a certificate of this machine that signs itself, as PEM files.
func ownCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cnaf"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	signed, err := x509.CreateCertificate(rand.Reader, of, of, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, bytes []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("cert.pem", "CERTIFICATE", signed), write("key.pem", "PRIVATE KEY", secret)
}

func TestACertificateOpensABrokerThatAsksForOne(t *testing.T) {
	cert, key := ownCertificate(t)
	server, err := topic.TLS(cert, cert, key)
	if err != nil {
		t.Fatal(err)
	}
	server.ClientCAs, server.ClientAuth = server.RootCAs, tls.RequireAndVerifyClientCert
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, name), kfake.TLS(server))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	for _, c := range []struct{ name, ca, cert, key, says string }{
		{"with its certificate", cert, cert, key, ""},
		{"without one", cert, "", "", "no Kafka broker answers at "},
		{"by a CA that did not sign it", "system", cert, key, "no Kafka broker answers at "},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := topic.TLS(c.ca, c.cert, c.key)
			if err != nil {
				t.Fatal(err)
			}
			_, err = topic.Read(t.Context(), topic.Config{Topic: name, Bootstrap: kafka.ListenAddrs(), TLS: client}, nil)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

func TestFilesThatAreNoUseAreNamedByTheirFlag(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, ca := topic.TLS(empty, "", "")
	_, cert := topic.TLS("", empty, empty)
	_, password := topic.Secret(empty)
	for flag, err := range map[string]error{"--kafka-ca": ca, "--kafka-cert": cert, "--kafka-password-file": password} {
		if err == nil || !strings.HasPrefix(err.Error(), flag+": ") {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
