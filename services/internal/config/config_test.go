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
