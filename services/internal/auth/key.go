package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// keyPrefix begins every API key, so that a scanner that finds one in a repository
// knows what it is.
const keyPrefix = "rk_"

// NewKey makes an API key: 256 random bits. It is shown once and kept nowhere.
func NewKey() string {
	bits := make([]byte, 32)
	_, _ = rand.Read(bits) // never fails, by its documentation
	return keyPrefix + base64.RawURLEncoding.EncodeToString(bits)
}

// HashKey is what is kept of an API key: its SHA-256 in hexadecimal. A key has too
// many random bits to be guessed, so that no slow hash is needed, nor a salt.
func HashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
