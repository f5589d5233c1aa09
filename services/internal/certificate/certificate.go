// Package certificate reads the certificates of doors and of clients from files,
// and reads them again when they change, so that a new one needs no restart. It
// knows files and expiry; who may come in with a certificate is the engines'
// matter.
package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookEvery is how long files are taken to be as they were.
const lookEvery = time.Second

// Pair is a certificate and its key, in two PEM files.
type Pair struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	looked time.Time
	seen   [2]stamp
	now    *tls.Certificate
	failed error // of the last reading; said once
}

type stamp struct {
	at   time.Time
	size int64
}

// Open reads the files. The error says in a sentence what is wrong with them.
func Open(certFile, keyFile string, log *slog.Logger) (*Pair, error) {
	p := &Pair{certFile: certFile, keyFile: keyFile, log: log}
	seen, err := p.look()
	if err == nil {
		p.now, err = p.read()
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate cannot be used: %w", err)
	}
	p.seen, p.looked = seen, time.Now()
	return p, nil
}

func (p *Pair) look() (seen [2]stamp, err error) {
	for i, file := range []string{p.certFile, p.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return seen, err
		}
		seen[i] = stamp{info.ModTime(), info.Size()}
	}
	return seen, nil
}

func (p *Pair) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", p.certFile, p.keyFile, err)
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("%s has expired on %s", p.certFile, pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	return &pair, nil
}

// current is the certificate as the files have it, or had it when they could last
// be read: one that is being replaced must not close a door.
func (p *Pair) current() *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.looked) < lookEvery {
		return p.now
	}
	p.looked = time.Now()
	seen, err := p.look()
	if err == nil && seen == p.seen && p.failed == nil {
		return p.now
	}
	var next *tls.Certificate
	if err == nil {
		next, err = p.read()
	}
	switch {
	case err != nil && p.failed == nil:
		p.log.Error("the certificate's files have changed and cannot be used: going on with what they held", "file", p.certFile, "error", err)
	case err == nil:
		p.now, p.seen = next, seen
		p.log.Info("certificate read again", "file", p.certFile, "expires", next.Leaf.NotAfter)
	}
	p.failed = err
	return p.now
}

// Expires is the end of the certificate that is in use.
func (p *Pair) Expires() time.Time { return p.current().Leaf.NotAfter }

// Server is how a door with the certificate speaks TLS.
func (p *Pair) Server() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.current(), nil },
	}
}

// Client is how a client speaks TLS with those whose certificates are signed by
// whom caFile names in PEM, or by whom this machine trusts where it is "". It shows
// the certificate of the pair, which may be nil, to who asks for it.
func Client(caFile string, pair *Pair) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		text, err := os.ReadFile(caFile) //nolint:gosec // the settings name it
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, errors.New(caFile + " holds no certificate in PEM")
		}
	}
	if pair != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.current(), nil }
	}
	return c, nil
}
