package certificate_test

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relais-fr/relais/services/internal/certificate"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

func TestACertificateIsReadAgainWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := enginetest.NewCertificate(t)
		first := time.Now().Add(2 * time.Hour).Truncate(time.Second)
		files.Renew(t, first)
		var log bytes.Buffer
		pair, err := certificate.Open(files.CertFile, files.KeyFile, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		second := first.Add(time.Hour)
		for _, step := range []struct {
			name string
			do   func()
			want time.Time
			said string
		}{
			{"at first", func() {}, first, ""},
			{"half written", func() { write(t, files.CertFile, "-----BEGIN") }, first, "going on with what they held"},
			{"expired", func() { files.Renew(t, time.Now().Add(-time.Hour)) }, first, ""},
			{"gone", func() { _ = os.Remove(files.KeyFile) }, first, ""},
			{"renewed", func() { files.Renew(t, second) }, second, "certificate read again"},
		} {
			log.Reset()
			step.do()
			time.Sleep(2 * time.Second)
			if got := pair.Expires(); !got.Equal(step.want) {
				t.Errorf("%s: expires at %v, want %v", step.name, got, step.want)
			}
			if !strings.Contains(log.String(), step.said) || strings.Count(log.String(), "\n") > 1 {
				t.Errorf("%s: said %q", step.name, &log)
			}
		}
	})
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatCannotBeUsedAreNamed(t *testing.T) {
	good, other := enginetest.NewCertificate(t), enginetest.NewCertificate(t)
	log := slog.New(slog.DiscardHandler)
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for _, c := range []struct{ name, cert, key, want string }{
		{"a missing one", missing, good.KeyFile, missing},
		{"another's key", good.CertFile, other.KeyFile, good.CertFile},
		{"a key in place of a certificate", good.KeyFile, good.KeyFile, good.KeyFile},
	} {
		if _, err := certificate.Open(c.cert, c.key, log); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	for _, ca := range []string{missing, good.KeyFile} {
		if _, err := certificate.Client(ca, nil); err == nil || !strings.Contains(err.Error(), ca) {
			t.Errorf("%s: got %v", ca, err)
		}
	}
}

func TestADoorSpeaksNothingOlderThanTLS12(t *testing.T) {
	files := enginetest.NewCertificate(t)
	pair, err := certificate.Open(files.CertFile, files.KeyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		client, err := certificate.Client(files.CertFile, pair)
		if err != nil {
			t.Fatal(err)
		}
		client.ServerName, client.MinVersion, client.MaxVersion = "localhost", version, version
		near, far := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- tls.Server(far, pair.Server()).HandshakeContext(t.Context()) }()
		err = tls.Client(near, client).HandshakeContext(t.Context())
		_ = near.Close()
		if far := <-done; far == nil && !want {
			t.Errorf("%s: the door took it", tls.VersionName(version))
		}
		_ = far.Close()
		if (err == nil) != want {
			t.Errorf("%s: got %v", tls.VersionName(version), err)
		}
	}
}
