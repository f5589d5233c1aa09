package services

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/certificate"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// DoorCertificate is what the doors of a process show, nil where they speak in the
// clear.
func DoorCertificate(s config.Settings, log *slog.Logger) (*certificate.Pair, error) {
	if s.TLSCert == "" {
		return nil, nil
	}
	pair, err := certificate.Open(s.TLSCert, s.TLSKey, log)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert: %w", err)
	}
	return pair, nil
}

// login is how the process signs in to a Kafka that is not the hub's own, and the
// certificate that it does so with, if any.
func login(s config.Settings, log *slog.Logger) (l broker.Login, pair *certificate.Pair, err error) {
	if s.KafkaUser != "" {
		l.User, l.Password = s.KafkaUser, func() (string, error) { return Secret(s.KafkaPasswordFile) }
		if _, err := l.Password(); err != nil {
			return l, nil, fmt.Errorf("--kafka-password-file: %w", err)
		}
	}
	if s.KafkaCert != "" {
		if pair, err = certificate.Open(s.KafkaCert, s.KafkaKey, log); err != nil {
			return l, nil, fmt.Errorf("--kafka-cert: %w", err)
		}
	}
	if s.KafkaCA == "" && pair == nil {
		return l, nil, nil
	}
	ca := s.KafkaCA
	if ca == config.SystemCA {
		ca = ""
	}
	if l.TLS, err = certificate.Client(ca, pair); err != nil {
		return l, nil, fmt.Errorf("--kafka-ca: %w", err)
	}
	return l, pair, nil
}

// Secret is what a file of one secret holds, without the end of its line.
func Secret(file string) (string, error) {
	text, err := os.ReadFile(file) //nolint:gosec // the settings name it
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", errors.New(file + " is empty")
	}
	return secret, nil
}

// Guard is how one of the process's doors speaks TLS, nil where it does not. From
// then on the metrics tell when its certificate expires.
func (p *Process) Guard(door string) *tls.Config {
	if p.certificate == nil {
		return nil
	}
	p.shown[door] = p.certificate
	return p.certificate.Server()
}

// kafkaClient is the door at which the process itself shows a certificate.
const kafkaClient = "kafka_client"

func (p *Process) tellExpiry() {
	telemetry.GaugesFunc(p.Metrics, prometheus.GaugeOpts{
		Name: "relais_certificate_expiry_timestamp_seconds",
		Help: "When the certificate expires that a door shows, or that this process shows to Kafka (kafka_client).",
	}, "door", func() map[string]float64 {
		expiry := make(map[string]float64, len(p.shown))
		for door, pair := range p.shown {
			expiry[door] = float64(pair.Expires().Unix())
		}
		return expiry
	})
}
