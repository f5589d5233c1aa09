package config

import (
	"encoding/hex"
	"flag"
	"log/slog"
	"net"
	"net/url"
	"strings"
)

// Security is how a process proves who it is, and has others prove it. Passwords
// and keys are named by their files, so that neither a process list nor the log
// shows one.
type Security struct {
	// Secure asks every caller who it is. Without it the hub is for trying: on
	// loopback only, with well-known tokens.
	Secure bool
	// TLSCert and TLSKey are PEM files of the doors: HTTP, registry and embedded
	// Kafka. They are read again when they change.
	TLSCert, TLSKey string

	// KafkaUser signs in to a real Kafka by SCRAM-SHA-512 with what
	// KafkaPasswordFile holds.
	KafkaUser, KafkaPasswordFile string
	// KafkaCA is a PEM file of who signs the brokers' certificates, or SystemCA;
	// connections are by TLS when it is given, or a certificate of our own is.
	KafkaCA             string
	KafkaCert, KafkaKey string

	// RegistryUser signs in to the schema registry with what RegistryPasswordFile
	// holds. RegistryCA is a PEM file of who signs its certificate; empty is whom this
	// machine trusts.
	RegistryUser, RegistryPasswordFile, RegistryCA string

	// OIDCIssuers may vouch for a caller with a token for OIDCAudience.
	OIDCIssuers  []string
	OIDCAudience string

	// AdminKeyHash is the SHA-256, in hexadecimal, of a first key for the admin
	// doors. The hub makes a key of its own in its data folder where it is empty.
	AdminKeyHash string
	// HubKeyHash is the SHA-256, in hexadecimal, of the key with which the services of
	// other processes sign in to the registry, as user hub: it reads and registers
	// schemas, and opens no other door.
	HubKeyHash string
}

// SystemCA stands for those whom this machine trusts, in the place of a file of who
// signs the brokers' certificates.
const SystemCA = "system"

// flags adds the settings to fs; done is to be called once they are parsed.
func (s *Security) flags(fs *flag.FlagSet, isHub bool) (done func()) {
	fs.BoolVar(&s.Secure, "secure", s.Secure, "ask every caller who it is, on every door; without it the doors are on loopback, with well-known tokens, for trying")
	fs.StringVar(&s.TLSCert, "tls-cert", s.TLSCert, "file with the doors' certificate and those between it and its root, in PEM; it is read again when it changes")
	fs.StringVar(&s.TLSKey, "tls-key", s.TLSKey, "file with the key of --tls-cert, in PEM")
	hint := ""
	if isHub {
		hint = " (with --brokers)"
	}
	fs.StringVar(&s.KafkaUser, "kafka-user", s.KafkaUser, "user to sign in to Kafka as, by SCRAM-SHA-512"+hint)
	fs.StringVar(&s.KafkaPasswordFile, "kafka-password-file", s.KafkaPasswordFile, "file with the password of --kafka-user")
	fs.StringVar(&s.KafkaCA, "kafka-ca", s.KafkaCA, "file with the certificates, in PEM, of who signs those of the brokers, or `system` for those that this machine trusts; connects by TLS"+hint)
	fs.StringVar(&s.KafkaCert, "kafka-cert", s.KafkaCert, "file with a certificate, in PEM, to sign in to Kafka with"+hint)
	fs.StringVar(&s.KafkaKey, "kafka-key", s.KafkaKey, "file with the key of --kafka-cert, in PEM")
	if isHub {
		hint = " (with --registry-url)"
	}
	fs.StringVar(&s.RegistryUser, "registry-user", s.RegistryUser, "user to sign in to the schema registry as"+hint)
	fs.StringVar(&s.RegistryPasswordFile, "registry-password-file", s.RegistryPasswordFile, "file with the password of --registry-user")
	fs.StringVar(&s.RegistryCA, "registry-ca", s.RegistryCA, "file with the certificates, in PEM, of who signs that of an https --registry-url; without it those whom this machine trusts")
	issuers := fs.String("oidc-issuer", strings.Join(s.OIDCIssuers, ","), "who may vouch for a caller by OpenID Connect, https://…[,https://…]")
	fs.StringVar(&s.OIDCAudience, "oidc-audience", s.OIDCAudience, "the audience that their tokens must be for")
	fs.StringVar(&s.AdminKeyHash, "admin-key-hash", s.AdminKeyHash, "SHA-256 in hexadecimal of a first key for the admin doors, as `hubctl key new` prints it")
	fs.StringVar(&s.HubKeyHash, "hub-key-hash", s.HubKeyHash, "at the registry: SHA-256 in hexadecimal of the key with which the hub's other services sign in to it, as --registry-user hub; `hubctl key new` makes one")
	return func() {
		s.OIDCIssuers = nil
		for i := range strings.SplitSeq(*issuers, ",") {
			if i = strings.TrimSpace(i); i != "" {
				s.OIDCIssuers = append(s.OIDCIssuers, i)
			}
		}
	}
}

func (s Settings) validateSecurity(bad func(format string, args ...any)) {
	for _, pair := range []struct{ a, aValue, b, bValue string }{
		{"tls-cert", s.TLSCert, "tls-key", s.TLSKey},
		{"kafka-user", s.KafkaUser, "kafka-password-file", s.KafkaPasswordFile},
		{"kafka-cert", s.KafkaCert, "kafka-key", s.KafkaKey},
		{"registry-user", s.RegistryUser, "registry-password-file", s.RegistryPasswordFile},
	} {
		switch {
		case pair.aValue != "" && pair.bValue == "":
			bad("--%s is given without --%s: give both, or neither", pair.a, pair.b)
		case pair.aValue == "" && pair.bValue != "":
			bad("--%s is given without --%s: give both, or neither", pair.b, pair.a)
		}
	}
	if s.Kafka != "" && len(s.Brokers) == 0 && (s.KafkaUser != "" || s.KafkaCA != "" || s.KafkaCert != "") {
		bad("--kafka-user, --kafka-ca and --kafka-cert are for a Kafka of yours: give its address with --brokers; the hub signs in to its own by itself")
	}
	if s.Registry != "" && s.RegistryURL == "" && s.RegistryUser != "" {
		bad("--registry-user is for a registry of yours: give its address with --registry-url; the hub signs in to its own by itself")
	}
	s.validateRegistry(bad)
	s.validateOIDC(bad)
	for _, key := range []struct{ flag, hash string }{{"admin-key-hash", s.AdminKeyHash}, {"hub-key-hash", s.HubKeyHash}} {
		if sum, err := hex.DecodeString(key.hash); key.hash != "" && (err != nil || len(sum) != 32) {
			bad("--%s is no SHA-256 in hexadecimal: use what `hubctl key new` prints", key.flag)
		}
	}
	if s.HubKeyHash != "" && strings.EqualFold(s.HubKeyHash, s.AdminKeyHash) {
		bad("--hub-key-hash is that of the admin's key: make another, which opens less")
	}
}

func (s Settings) validateRegistry(bad func(format string, args ...any)) {
	u, err := url.Parse(s.RegistryURL)
	encrypted := err == nil && u.Scheme == "https"
	switch {
	case s.RegistryURL == "" && s.RegistryCA != "":
		bad("--registry-ca is for a registry of yours: give its address with --registry-url")
	case s.RegistryCA != "" && !encrypted:
		bad("--registry-ca is given, and --registry-url is not https://…: nobody shows a certificate there")
	case s.RegistryUser != "" && err == nil && u.Host != "" && !encrypted && !IsLoopback(net.JoinHostPort(u.Hostname(), "0")):
		bad("--registry-user: the password would pass for all to read; give an https:// address with --registry-url")
	}
}

func (s Settings) validateOIDC(bad func(format string, args ...any)) {
	for _, issuer := range s.OIDCIssuers {
		u, err := url.Parse(issuer)
		if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil ||
			u.Scheme != "https" && (u.Scheme != "http" || !IsLoopback(net.JoinHostPort(u.Hostname(), "0"))) {
			bad("--oidc-issuer %q: use the issuer as its tokens name it, https://host[/path]; http on loopback only", issuer)
		}
	}
	switch {
	case len(s.OIDCIssuers) > 0 && s.OIDCAudience == "":
		bad("--oidc-issuer is given without --oidc-audience: a token for somebody else would be taken")
	case len(s.OIDCIssuers) == 0 && s.OIDCAudience != "":
		bad("--oidc-audience is given without --oidc-issuer: give both, or neither")
	case len(s.OIDCIssuers) > 0 && !s.Secure:
		bad("--oidc-issuer is given without --secure: without it callers have well-known tokens")
	}
}

// mayLeaveLoopback says why a door may not be open to other machines, "" when it
// may.
func (s Settings) mayLeaveLoopback() string {
	switch {
	case !s.Secure:
		return "without --secure everybody has a well-known token; give --secure, --tls-cert and --tls-key, or listen on 127.0.0.1"
	case s.TLSCert == "":
		return "what is secret would pass there for all to read; give --tls-cert and --tls-key, or listen on 127.0.0.1"
	}
	return ""
}

// Development says whether this is a hub for trying: nobody but this machine's own
// programs can reach it, and everybody has a well-known token.
func (s Settings) Development() bool { return !s.Secure && s.Loopback() }

// HTTPScheme is the scheme of the HTTP and registry doors' addresses.
func (s Settings) HTTPScheme() string {
	if s.TLSCert != "" {
		return "https"
	}
	return "http"
}

// attrs lists the settings for the log: names of users and files, nothing secret.
func (s Security) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.Bool("secure", s.Secure)}
	for _, a := range []slog.Attr{
		slog.String("tls_cert", s.TLSCert), slog.String("kafka_user", s.KafkaUser), slog.String("kafka_ca", s.KafkaCA),
		slog.String("kafka_cert", s.KafkaCert), slog.String("registry_user", s.RegistryUser), slog.String("registry_ca", s.RegistryCA),
		slog.String("oidc_issuer", strings.Join(s.OIDCIssuers, ",")), slog.String("oidc_audience", s.OIDCAudience),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	return attrs
}
