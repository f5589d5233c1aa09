package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/relais-fr/relais/schemas/statement"
)

// keyName is the key that signs statements, in the data folder. It is no part of
// the data's format: without it the hub makes another, and the old public one
// stays on the directory.
const keyName = "statement.key"

// ownKey is the path of the hub's own key in its data folder, which is made where
// there is none.
func ownKey(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	path := filepath.Join(dir, keyName)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	key, err := statement.NewKey()
	if err != nil {
		return "", err
	}
	data, err := key.PEM()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("the data folder cannot be made: %w; give another with --data", err)
	}
	if err := writeDurably(path, data); err != nil {
		return "", fmt.Errorf("the key of the statements cannot be written: %w", err)
	}
	return path, nil
}
