package services

import (
	"encoding/base64"
	"fmt"
	"net/http"

	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/certificate"
	"github.com/relais-fr/relais/services/internal/config"
)

// signed signs every request in.
type signed struct {
	base          http.RoundTripper
	authorization string
}

// RoundTrip implements http.RoundTripper.
func (s *signed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", s.authorization)
	base := s.base
	if base == nil {
		base = http.DefaultTransport
	}
	return base.RoundTrip(r)
}

// registryTransport is how the process reaches the schema registry; nil is as anybody
// would.
func registryTransport(settings config.Settings, engines Engines) (http.RoundTripper, error) {
	switch {
	case engines.Registry != nil:
		return engines.Registry, nil
	case engines.Dial != nil:
		return &http.Transport{DialContext: engines.Dial}, nil
	case settings.RegistryCA == "":
		return nil, nil
	}
	trusted, err := certificate.Client(settings.RegistryCA, nil)
	if err != nil {
		return nil, fmt.Errorf("--registry-ca: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = trusted
	return transport, nil
}

// registrySignature is how the process signs in to the schema registry: as it was
// told, or to one in this process with a key that never leaves it.
func registrySignature(settings config.Settings, a *auth.Auth) (string, error) {
	if settings.RegistryUser == "" {
		return "Bearer " + a.OwnKey(), nil
	}
	password, err := Secret(settings.RegistryPasswordFile)
	if err != nil {
		return "", fmt.Errorf("--registry-password-file: %w", err)
	}
	pair := settings.RegistryUser + ":" + password
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)), nil
}
