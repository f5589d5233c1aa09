package directory

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relais-fr/relais/services/internal/directory/deadline"
)

// KnownSetting is a setting that the hub knows: what it is for, and what may stand
// there. Who adds one that people may set adds it to settings below.
type KnownSetting struct {
	// Name is as on the topic. A last part in angle brackets stands for anything:
	// `rate.<participant>`.
	Name string `json:"name"`
	// About says what it is for, with the unit and the default.
	About string `json:"about"`
	// Fixed says why people cannot set it; empty when they can.
	Fixed string `json:"fixed,omitempty"`
	// Set makes what is stored of what somebody sets, as of the settings before it.
	// The error says in a sentence what is wrong with it.
	Set func(change SettingChange) (stored string, err error) `json:"-"`
}

// SettingChange is a setting that somebody sets.
type SettingChange struct {
	// Varies is what the part of the name in angle brackets stands for.
	Varies string
	Value  string
	// Had is what was stored before; empty for nothing.
	Had string
	Now *Snapshot
	At  time.Time
}

// settings are all there are.
var settings = []KnownSetting{
	{
		Name: SettingPartitions, About: "Partitions by which keys are placed, written once when the installation was made.",
		Fixed: "The number of partitions never changes: a dossier's events would land elsewhere than before, and its order would be lost.",
	},
	{
		Name: SettingRules, About: "Rules version in force. It only rises, once every ledger knows the next one.",
		Set: setRules,
	},
	{
		Name:  deadlinePrefix + "<clock>",
		About: "How long a clock of the hub runs, such as `45 days`, or `2 working days for <service>`; `default` takes it back. In force a minute later, for what is received from then on.",
		Set:   setDeadline,
	},
	{
		Name:  ratePrefix + "<participant>",
		About: "Events that the participant may hand in per second at each gateway, by all its doors together: 429 by HTTP, a pause on its topic. Unset, each door has its own: 2000 by HTTP, 50000 for a feeder and by topic.",
		Set:   setRate,
	},
}

// KnownSettings are all settings that the hub knows, by name.
func KnownSettings() []KnownSetting {
	all := slices.Clone(settings)
	slices.SortFunc(all, func(a, b KnownSetting) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// UnknownSettingError says that there is no setting of that name.
type UnknownSettingError struct{ Name string }

func (e *UnknownSettingError) Error() string {
	var names []string
	for _, k := range KnownSettings() {
		if k.Fixed == "" {
			names = append(names, k.Name)
		}
	}
	return fmt.Sprintf("there is no setting %q: known are %s", e.Name, strings.Join(names, ", "))
}

// FixedSettingError says why a setting cannot be set.
type FixedSettingError struct{ Why string }

func (e *FixedSettingError) Error() string { return e.Why }

// Change is the setting as it is stored once somebody has set it. The error is an
// *UnknownSettingError, a *FixedSettingError, or says in a sentence what is wrong
// with the value.
func (s *Snapshot) Change(name, value string, at time.Time) (Setting, error) {
	for _, k := range settings {
		varies, ok := k.matches(name)
		if !ok {
			continue
		}
		if k.Fixed != "" {
			return Setting{}, &FixedSettingError{k.Fixed}
		}
		had, _ := s.Setting(name)
		stored, err := k.Set(SettingChange{Varies: varies, Value: value, Had: had, Now: s, At: at})
		if err != nil {
			return Setting{}, fmt.Errorf("%s: %w", name, err)
		}
		return Setting{Name: name, Value: stored}, nil
	}
	return Setting{}, &UnknownSettingError{name}
}

// matches says whether the name is this setting's, and what stands for its last
// part.
func (k KnownSetting) matches(name string) (varies string, ok bool) {
	fixed, _, open := strings.Cut(k.Name, "<")
	if !open {
		return "", k.Name == name
	}
	varies, ok = strings.CutPrefix(name, fixed)
	return varies, ok && varies != ""
}

// setRules lets the version rise, by any number. That every ledger knows it is for
// the directory's door to see.
func setRules(c SettingChange) (string, error) {
	n, err := strconv.Atoi(c.Value)
	if err != nil || n < 1 || strconv.Itoa(n) != c.Value {
		return "", fmt.Errorf("%q is not a rules version: it is a number such as 2", c.Value)
	}
	if had, err := strconv.Atoi(c.Had); err == nil && n < had {
		return "", fmt.Errorf("version %d is in force and %d is older: what was judged by newer rules is never judged by older ones", had, n)
	}
	return c.Value, nil
}

// knowsRules begins the note by which a ledger tells which rules it knows.
const knowsRules = "rules="

// KnownRules is the note of a ledger that knows all versions up to the newest.
func KnownRules(newest int) string { return knowsRules + strconv.Itoa(newest) }

// ParseKnownRules reads such a note. A ledger that says nothing is older than the
// notes, and knows the first version alone.
func ParseKnownRules(note string) (newest int) {
	n, err := strconv.Atoi(strings.TrimPrefix(note, knowsRules))
	if err != nil || KnownRules(n) != note {
		return 1
	}
	return n
}

const (
	ratePrefix = "rate."
	maxRate    = 1_000_000
)

// RateSetting is the name of the setting of a participant's rate.
func RateSetting(participant string) string { return ratePrefix + participant }

func setRate(c SettingChange) (string, error) {
	if _, ok := c.Now.Participant(c.Varies); !ok && c.Varies != "offices" {
		return "", fmt.Errorf("the directory has no participant %q", c.Varies)
	}
	n, err := strconv.Atoi(c.Value)
	if err != nil || n < 1 || n > maxRate {
		return "", errors.New("it is a number of events per second, from 1 to 1000000")
	}
	return strconv.Itoa(n), nil
}

// deadlinePrefix begins the names of the settings of package deadline, which knows
// what may stand there.
const deadlinePrefix = "deadline."

func setDeadline(c SettingChange) (string, error) {
	if service := deadline.ServiceOf(c.Value); service != "" {
		if _, ok := c.Now.Service(service); !ok {
			return "", fmt.Errorf("the directory has no service %q", service)
		}
	}
	return deadline.Change(deadlinePrefix+c.Varies, c.Had, c.Value, c.At)
}
