package config_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/relais-fr/relais/services/internal/config"
)

func env(pairs ...string) func(string) (string, bool) {
	return func(key string) (string, bool) {
		for _, p := range pairs {
			if v, ok := strings.CutPrefix(p, key+"="); ok {
				return v, true
			}
		}
		return "", false
	}
}

func TestAFlagWinsOverTheEnvironmentWhichWinsOverTheDefault(t *testing.T) {
	s, err := config.DefaultHub().Parse("hub", "runs", []string{"--http", "127.0.0.1:1"}, env("RELAIS_HTTP=127.0.0.1:2", "RELAIS_LOG_LEVEL=warn", "RELAIS_BROKERS=a:1, b:2"), new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	if s.HTTP != "127.0.0.1:1" || s.LogLevel.String() != "WARN" || s.Registry != "127.0.0.1:8081" || len(s.Brokers) != 2 || s.Brokers[1] != "b:2" {
		t.Errorf("got %+v", s)
	}
}

func TestEveryProblemIsReportedInOneGo(t *testing.T) {
	_, err := config.DefaultHub().Parse("hub", "runs", []string{"--http", "8080", "--partitions", "0", "--durability", "maybe"}, env("RELAIS_REPLICATION=many"), new(bytes.Buffer))
	for _, want := range []string{`--http "8080"`, "--partitions 0", `--durability "maybe"`, "RELAIS_REPLICATION"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in: %v", want, err)
		}
	}
}

func TestAnUnknownFlagIsNamedWithoutAllTheHelp(t *testing.T) {
	var said bytes.Buffer
	_, err := config.DefaultHub().Parse("hub", "runs", []string{"--color", "blue"}, env("RELAIS_REPLICATION=many"), &said)
	if err == nil || !strings.Contains(err.Error(), "-color") || !strings.Contains(err.Error(), "RELAIS_REPLICATION") || said.Len() > 0 {
		t.Errorf("got %v and %q", err, &said)
	}
}

func TestADoorThatIsNotOnLoopbackIsRefused(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:8080", "192.0.2.1:8080", "example.org:8080", "[::]:8080"} {
		_, err := config.DefaultHub().Parse("hub", "runs", []string{"--http", addr}, env(), new(bytes.Buffer))
		if err == nil || !strings.Contains(err.Error(), "not on loopback") {
			t.Errorf("%s: got %v", addr, err)
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "[::1]:8080", "localhost:8080"} {
		if _, err := config.DefaultHub().Parse("hub", "runs", []string{"--http", addr}, env(), new(bytes.Buffer)); err != nil {
			t.Errorf("%s: got %v", addr, err)
		}
	}
}

func TestHelpNamesEverySettingAndItsVariable(t *testing.T) {
	var help bytes.Buffer
	_, err := config.DefaultHub().Parse("hub", "runs the hub", []string{"--help"}, env(), &help)
	if !errors.Is(err, config.ErrHelp) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"-http", "-kafka", "-registry", "-data", "-brokers", "-redis", "-registry-url", "RELAIS_"} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("%s is not explained", want)
		}
	}
	if _, err := config.DefaultHub().Parse("hub", "runs", []string{"--version"}, env(), &help); !errors.Is(err, config.ErrVersion) {
		t.Errorf("got %v", err)
	}
}

func TestTheLogNeverShowsAPassword(t *testing.T) {
	s := config.Default("127.0.0.1:1")
	s.Redis = "redis://relais:secret@store:6379/0"
	if text := s.LogValue().String(); strings.Contains(text, "secret") || !strings.Contains(text, "store:6379") {
		t.Errorf("got %s", text)
	}
}

func TestOtherMachinesMayComeInOnlyWhereTheyAreAskedWhoTheyAreAndNobodyElseCanListen(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--http", "0.0.0.0:8080"}, "--secure"},
		{[]string{"--kafka", "hub.example.org:9092", "--tls-cert", "c", "--tls-key", "k"}, "--secure"},
		{[]string{"--registry", "0.0.0.0:8081", "--secure"}, "--tls-cert"},
		{[]string{"--http", "0.0.0.0:8080", "--kafka", "hub.example.org:9092", "--registry", "0.0.0.0:8081", "--secure", "--tls-cert", "c", "--tls-key", "k"}, ""},
		{[]string{"--secure"}, ""},
		{[]string{"--tls-cert", "c", "--tls-key", "k"}, ""},
	} {
		s, err := config.DefaultHub().Parse("hub", "runs", c.args, env(), new(bytes.Buffer))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: got %v", c.args, err)
		}
		if err == nil && s.Development() == s.Secure {
			t.Errorf("%v: development is %t", c.args, s.Development())
		}
	}
}

func TestHalfASecuritySettingIsRefused(t *testing.T) {
	hash := strings.Repeat("0f", 32)
	for _, c := range []struct{ name, args, want string }{
		{"a certificate without its key", "--tls-cert c", "--tls-key"},
		{"a key without its certificate", "--kafka-key k --brokers b:1", "--kafka-cert"},
		{"a user without a password", "--kafka-user u --brokers b:1", "--kafka-password-file"},
		{"a user of the embedded broker", "--kafka-user u --kafka-password-file p", "--brokers"},
		{"a certificate authority of the embedded broker", "--kafka-ca system", "--brokers"},
		{"a user of a real one", "--kafka-user u --kafka-password-file p --kafka-ca system --brokers b:1", ""},
		{"a user of the hub's own registry", "--registry-user u --registry-password-file p", "--registry-url"},
		{"a user of another registry", "--registry-user u --registry-password-file p --registry-url https://r", ""},
		{"a password for all to read", "--registry-user u --registry-password-file p --registry-url http://r", "https://"},
		{"a user of a registry on this machine", "--registry-user u --registry-password-file p --registry-url http://127.0.0.1:8081", ""},
		{"who signs what nobody shows", "--registry-ca c --registry-url http://127.0.0.1:8081", "https"},
		{"who signs the registry's certificate", "--registry-ca c --registry-url https://r", ""},
		{"the admin's key for the services", "--admin-key-hash " + hash + " --hub-key-hash " + hash, "make another"},
		{"a key itself for the services", "--hub-key-hash relais-key", "hubctl key new"},
		{"an issuer for any audience", "--secure --oidc-issuer https://i", "--oidc-audience"},
		{"an audience of nobody", "--secure --oidc-audience a", "--oidc-issuer"},
		{"an issuer where nobody is asked", "--oidc-issuer https://i --oidc-audience a", "--secure"},
		{"an issuer that anybody can be", "--secure --oidc-issuer http://example.org --oidc-audience a", "http on loopback only"},
		{"an issuer with a query", "--secure --oidc-issuer https://i?x=y --oidc-audience a", "--oidc-issuer"},
		{"two issuers", "--secure --oidc-issuer https://i,http://127.0.0.1:8090/realm --oidc-audience a", ""},
		{"a key itself in place of its hash", "--admin-key-hash relais-key", "hubctl key new"},
		{"the hash of a key", "--admin-key-hash " + hash, ""},
	} {
		_, err := config.DefaultHub().Parse("hub", "runs", strings.Fields(c.args), env(), new(bytes.Buffer))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}
