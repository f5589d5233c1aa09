package services

import (
	"fmt"
	"os"

	"github.com/relais-fr/relais/schemas/statement"
	"github.com/relais-fr/relais/services/internal/config"
)

// StatementKey reads the key that signs statements; nil where the settings name
// none. A file that others may read is no longer a secret, and is refused.
func StatementKey(s config.Settings) (*statement.Key, error) {
	if s.StatementKey == "" {
		return nil, nil
	}
	info, err := os.Stat(s.StatementKey)
	if err != nil {
		return nil, fmt.Errorf("--statement-key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("--statement-key %s may be read by others: chmod 600 it", s.StatementKey)
	}
	data, err := os.ReadFile(s.StatementKey)
	if err != nil {
		return nil, fmt.Errorf("--statement-key: %w", err)
	}
	key, err := statement.ParseKey(data)
	if err != nil {
		return nil, fmt.Errorf("--statement-key %s: %w", s.StatementKey, err)
	}
	return key, nil
}
