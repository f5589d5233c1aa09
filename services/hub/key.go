package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/relais-fr/relais/schemas/statement"
	"github.com/relais-fr/relais/services/internal/auth"
)

// keyName is the key that signs statements, in the data folder. It is no part of
// the data's format: without it the hub makes another, and the old public one
// stays on the directory.
const keyName = "statement.key"

// adminKeyName is the admin's first key, in the data folder, for its owner's eyes
// only: hubctl finds it there. Whoever reads it runs the hub.
const adminKeyName = "admin.key"

// ownKey is the path of the hub's own key in its data folder, which is made where
// there is none.
func ownKey(dir string) (string, error) {
	return fileIn(dir, keyName, "the key of the statements", func() ([]byte, error) {
		key, err := statement.NewKey()
		if err != nil {
			return nil, err
		}
		return key.PEM()
	})
}

// adminKeyHash is the hash of the admin's first key, which a hub that asks who calls
// makes where there is none. One that asks nobody knows it too if it is there: hubctl
// shows what it finds.
func adminKeyHash(dir string, secure bool) (hash string, err error) {
	if _, err := os.Stat(filepath.Join(dir, adminKeyName)); !secure && errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	path, err := fileIn(dir, adminKeyName, "the admin's key", func() ([]byte, error) { return []byte(auth.NewKey() + "\n"), nil })
	if err != nil {
		return "", err
	}
	key, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return "", fmt.Errorf("the admin's key cannot be read: %w", err)
	}
	return auth.HashKey(strings.TrimSpace(string(key))), nil
}

// fileIn is the path of a file in the data folder; one that is missing is made.
func fileIn(dir, name, what string, make func() ([]byte, error)) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	data, err := make()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("the data folder cannot be made: %w; give another with --data", err)
	}
	if err := writeDurably(path, data); err != nil {
		return "", fmt.Errorf("%s cannot be written: %w", what, err)
	}
	return path, nil
}
