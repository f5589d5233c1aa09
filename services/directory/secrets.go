package directory

import (
	"crypto/rand"
	"encoding/base64"
)

// newPassword is what a participant signs in with at Kafka. It needs no escaping
// anywhere: not in a shell, a properties file or a URL.
func newPassword() string { return random(24) }

// newCredentialID tells a participant's credentials apart; it is no secret.
func newCredentialID() string { return random(6) }

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
