package enginetest

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/relais-fr/relais/services/internal/certificate"
)

// Certificate is a certificate and its key, as PEM files.
type Certificate struct{ CertFile, KeyFile string }

// NewCertificate makes one for this machine's own name and address, which signs
// itself.
func NewCertificate(t testing.TB) Certificate {
	t.Helper()
	dir := t.TempDir()
	c := Certificate{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	c.Renew(t, time.Now().Add(time.Hour))
	return c
}

// Renew puts another one, until expires, in the place of the files.
func (c Certificate) Renew(t testing.TB, expires time.Time) {
	t.Helper()
	if err := certificate.Own(c.CertFile, c.KeyFile, expires); err != nil {
		t.Fatal(err)
	}
}
