package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"flag"
)

func keyNewCommand() command {
	return command{
		name: "key new", short: "make a first key for the admin doors",
		long: `
Makes a key for the admin of a hub whose services run one by one, and its hash for
their setting --admin-key-hash. It asks no hub, and the key is kept nowhere: put it
where only admins read, and give it to hubctl with --token or --admin-key. The program
hub needs none: it makes its own in its data folder.

  hubctl key new`,
		set: func(*flag.FlagSet) func(context.Context, *call) error {
			return func(_ context.Context, c *call) error {
				if len(c.args) > 0 {
					return usage("%q is not understood", c.args[0])
				}
				bits := make([]byte, 32)
				_, _ = rand.Read(bits) // never fails
				key := "rk_" + base64.RawURLEncoding.EncodeToString(bits)
				sum := sha256.Sum256([]byte(key))
				c.out.printf("key               %s\n--admin-key-hash  %s\n", key, hex.EncodeToString(sum[:]))
				return nil
			}
		},
	}
}
