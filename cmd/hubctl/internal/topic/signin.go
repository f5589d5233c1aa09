package topic

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// systemCA stands for the authorities that this machine trusts, as it does in the
// settings of the services.
const systemCA = "system"

// TLS is a client's side of TLS: it believes whom the file ca names, or this machine's
// own where ca is "" or `system`, and shows the certificate, if one is given.
func TLS(ca, cert, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" && ca != systemCA {
		text, err := os.ReadFile(ca) //nolint:gosec // the caller names it
		if err != nil {
			return nil, fmt.Errorf("--kafka-ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, errors.New("--kafka-ca: " + ca + " holds no certificate in PEM")
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("--kafka-cert: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Secret is what a file of one secret holds, without the end of its line.
func Secret(file string) (string, error) {
	text, err := os.ReadFile(file) //nolint:gosec // the caller names it
	if err != nil {
		return "", fmt.Errorf("--kafka-password-file: %w", err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", errors.New("--kafka-password-file: " + file + " is empty")
	}
	return secret, nil
}
