package broker

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// scramIterations is Kafka's least, and the only number that the embedded broker
// can do. The passwords are random ones of ours: nobody guesses them.
const scramIterations = 4096

// SetPassword lets a participant sign in by SCRAM, with SHA-512 or SHA-256. The
// cluster keeps what a password can be checked with, and never sees it. Who is
// signed in stays so.
func (b *Broker) SetPassword(ctx context.Context, id, password string) error {
	err := b.mayBeParticipant(id)
	if err == nil {
		err = b.setPassword(ctx, id, password)
	}
	return about("set the password of", id, err)
}

func (b *Broker) setPassword(ctx context.Context, id, password string) error {
	if err := plainText(password); err != nil {
		return err
	}
	req := &kafka.AlterUserScramCredentialsRequest{}
	for _, mechanism := range mechanisms {
		salt := make([]byte, 24)
		_, _ = rand.Read(salt) // never fails
		salted, err := salt512(password, salt)
		if mechanism == kafka.ScramMechanismSha256 {
			salted, err = salt256(password, salt)
		}
		if err != nil {
			return err
		}
		req.Upsertions = append(req.Upsertions, kafka.UserScramCredentialsUpsertion{
			Name: id, Mechanism: mechanism, Iterations: scramIterations, Salt: salt, SaltedPassword: salted,
		})
	}
	return b.alterPasswords(ctx, req)
}

var mechanisms = []kafka.ScramMechanism{kafka.ScramMechanismSha256, kafka.ScramMechanismSha512}

func salt256(password string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
}

func salt512(password string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha512.New, password, salt, scramIterations, sha512.Size)
}

// plainText refuses what client libraries normalize each in its own way.
func plainText(password string) error {
	if len(password) < 12 || len(password) > 200 {
		return errors.New("a password has 12 to 200 characters")
	}
	for _, c := range []byte(password) {
		if c <= ' ' || c > '~' {
			return errors.New("a password is of visible ASCII characters")
		}
	}
	return nil
}

// DeletePassword keeps a participant from signing in. Who is signed in stays so:
// deny first. One without a password is no error.
func (b *Broker) DeletePassword(ctx context.Context, id string) error {
	err := b.mayBeParticipant(id)
	if err == nil {
		for _, mechanism := range mechanisms {
			one := []kafka.UserScramCredentialsDeletion{{Name: id, Mechanism: mechanism}}
			if err = b.alterPasswords(ctx, &kafka.AlterUserScramCredentialsRequest{Deletions: one}); err != nil {
				break
			}
		}
	}
	return about("delete the password of", id, err)
}

func (b *Broker) alterPasswords(ctx context.Context, req *kafka.AlterUserScramCredentialsRequest) error {
	return b.retry(ctx, "alter_scram_credentials", func(ctx context.Context) error {
		res, err := b.client.AlterUserScramCredentials(ctx, req)
		if err != nil {
			return err
		}
		if len(res.Results) == 0 {
			return fmt.Errorf("the broker did not answer for the user")
		}
		for _, r := range res.Results {
			if r.Error != nil && !errors.Is(r.Error, kafka.ResourceNotFound) {
				return r.Error
			}
		}
		return nil
	})
}
