package statement

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/relais-fr/relais/schemas"
)

// Algorithm is the only one that statements are signed with.
const Algorithm = "Ed25519"

// PublicKey is a key by which statements are checked, as the hub publishes it.
type PublicKey struct {
	ID        string `json:"id"`
	Algorithm string `json:"algorithm"`
	// Public is the 32 bytes of the public key.
	Public []byte `json:"public"`
}

// KeyDocument is the answer of GET /v1/statements/keys: every key with which a
// statement was ever signed.
type KeyDocument struct {
	Keys []PublicKey `json:"keys"`
}

// PublicKeyOf is a public key as it is published.
func PublicKeyOf(public ed25519.PublicKey) PublicKey {
	sum := sha256.Sum256(public)
	return PublicKey{ID: hex.EncodeToString(sum[:8]), Algorithm: Algorithm, Public: public}
}

// Valid says whether the key is one, and has the id that it must have.
func (k PublicKey) Valid() bool {
	return k.Algorithm == Algorithm && len(k.Public) == ed25519.PublicKeySize && PublicKeyOf(k.Public).ID == k.ID
}

// Key signs statements.
type Key struct {
	private ed25519.PrivateKey
	Public  PublicKey
}

// NewKey makes a key at random.
func NewKey() (*Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return keyOf(private), nil
}

func keyOf(private ed25519.PrivateKey) *Key {
	return &Key{private: private, Public: PublicKeyOf(private.Public().(ed25519.PublicKey))}
}

// ErrKey says that a file is no private key for statements.
var ErrKey = errors.New("it is no Ed25519 private key in PEM (PKCS #8): make one with `openssl genpkey -algorithm ed25519`")

const pemType = "PRIVATE KEY"

// ParseKey reads what Key.PEM and `openssl genpkey -algorithm ed25519` write.
func ParseKey(data []byte) (*Key, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != pemType {
		return nil, ErrKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, ErrKey
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, ErrKey
	}
	return keyOf(private), nil
}

// PEM is the key as a file has it.
func (k *Key) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// Sign names the key in the statement and signs it.
func (k *Key) Sign(s *schemas.StatementIssued) {
	s.KeyID = k.Public.ID
	s.Signature = ed25519.Sign(k.private, Canonical(s))
}

// Errors of CheckSignature.
var (
	ErrUnknownKey = errors.New("the key that signed it is not among those given")
	ErrSignature  = errors.New("its signature is wrong: it was changed after the hub signed it, or somebody else made it")
)

// CheckSignature checks the statement's signature with the key that it names.
func CheckSignature(s *schemas.StatementIssued, keys []PublicKey) error {
	for _, k := range keys {
		if k.ID != s.KeyID {
			continue
		}
		if !k.Valid() {
			return fmt.Errorf("key %s: it does not have the id that its public key has", k.ID)
		}
		if !ed25519.Verify(k.Public, Canonical(s), s.Signature) {
			return ErrSignature
		}
		return nil
	}
	return fmt.Errorf("key %s: %w", s.KeyID, ErrUnknownKey)
}
