package services

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/relais-fr/relais/services/internal/auth"
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

// registrySignature is how the process signs in to the schema registry: as it was
// told, or to one in this process with a key that never leaves it.
func registrySignature(settings config.Settings, a *auth.Auth) (string, error) {
	if settings.RegistryUser == "" {
		return "Bearer " + a.OwnKey(), nil
	}
	password, err := os.ReadFile(settings.RegistryPasswordFile)
	if err != nil {
		return "", fmt.Errorf("the password of --registry-user: %w", err)
	}
	pair := settings.RegistryUser + ":" + strings.TrimSpace(string(password))
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)), nil
}
