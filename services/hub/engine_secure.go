package hub

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
)

// superuser is the hub at its own broker: a name that no participant can have.
const superuser = schemas.HubParticipant

// users are the broker's own file of users, as it keeps it.
type users struct {
	Version  int                        `json:"version"`
	Plain    map[string]json.RawMessage `json:"plain,omitempty"`
	Scram256 map[string]json.RawMessage `json:"scram256,omitempty"`
	Scram512 map[string]json.RawMessage `json:"scram512,omitempty"`
}

// scramUser is what a password of a user can be checked with.
type scramUser struct {
	Mechanism  string `json:"mechanism"`
	Salt       []byte `json:"salt"`
	SaltedPass []byte `json:"salted_pass"`
	Iterations int    `json:"iterations"`
}

// newLogin makes the password that the hub signs in to its own broker with. It
// lives as long as the process does, and is written nowhere.
func newLogin() broker.Login {
	return broker.Login{User: superuser, Password: broker.Password(rand.Text() + rand.Text())}
}

// admit puts the hub's password of this run in the place of the last one's among
// the users that the broker has kept. Without such a file the broker makes one.
func (f *folder) admit(password string) error {
	path := filepath.Join(f.kafka(), "sasl.json")
	text, err := os.ReadFile(path) //nolint:gosec // in the data folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var all users
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return fmt.Errorf("the users of the embedded broker cannot be read from %s: %w", path, err)
	}
	own, err := newScramUser(password)
	if err != nil {
		return err
	}
	// PLAIN is not offered, so that nothing may be left of it.
	all.Plain = nil
	delete(all.Scram256, superuser)
	if all.Scram512 == nil {
		all.Scram512 = map[string]json.RawMessage{}
	}
	all.Scram512[superuser] = own
	if text, err = json.Marshal(all); err != nil {
		return err
	}
	return writeDurably(path, text)
}

func newScramUser(password string) (json.RawMessage, error) {
	const iterations = 4096 // the only number that the broker can do
	salt := []byte(rand.Text())
	salted, err := pbkdf2.Key(sha512.New, password, salt, iterations, sha512.Size)
	if err != nil {
		return nil, err
	}
	return json.Marshal(scramUser{Mechanism: mechanisms[0], Salt: salt, SaltedPass: salted, Iterations: iterations})
}
