package registry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/relais-fr/relais/schemas"
)

const (
	typeAvro = "AVRO"
	maxID    = 1<<31 - 1
)

// The compatibility levels. Ours is the one under which any version can read any
// other.
const (
	levelNone         = "NONE"
	defaultLevel      = "BACKWARD"
	ourLevel          = "FULL_TRANSITIVE"
	suffixTransitive  = "_TRANSITIVE"
	prefixBackward    = "BACKWARD"
	prefixForward     = "FORWARD"
	prefixFull        = "FULL"
	maxShownProblems  = 20
	maxProblemMessage = 16 << 10
)

var levels = []string{
	levelNone, "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE",
}

// parseLevel takes a level in any case.
func parseLevel(name string) (string, error) {
	if level := strings.ToUpper(name); slices.Contains(levels, level) {
		return level, nil
	}
	return "", faultf(codeInvalidLevel, "Invalid compatibility level. Valid values are %s", strings.Join(levels, ", "))
}

// The modes. Import is not offered: it would let ids be given from outside, and
// an id that was ever given must never mean another schema.
const (
	modeReadWrite        = "READWRITE"
	modeReadOnly         = "READONLY"
	modeReadOnlyOverride = "READONLY_OVERRIDE"
)

var unofferedModes = []string{"IMPORT", "FORWARD"}

func parseMode(name, subject string) (string, error) {
	mode := strings.ToUpper(name)
	switch {
	case mode == modeReadWrite, mode == modeReadOnly, mode == modeReadOnlyOverride && subject == "":
		return mode, nil
	case slices.Contains(unofferedModes, mode):
		return "", faultf(codeNotPermitted, "Mode %s is not offered here: ids are given by this registry alone.", mode)
	default:
		return "", faultf(codeInvalidMode, "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE")
	}
}

// writable refuses a change of a subject that may only be read.
func (s *state) writable(subject string) error {
	if s.mode(subject) != modeReadWrite {
		return faultf(codeNotPermitted, "Subject %s is in read-only mode", subject)
	}
	return nil
}

// problems are the reasons for which a schema may not follow older versions under
// a level: all of them when it is transitive, else the last one.
func problems(level string, schema schemas.AvroSchema, older []*version) []string {
	if level == levelNone || len(older) == 0 {
		return nil
	}
	if !strings.HasSuffix(level, suffixTransitive) {
		older = older[len(older)-1:]
	}
	var found []string
	for _, v := range slices.Backward(older) {
		if !v.isAvro {
			found = append(found, fmt.Sprintf("version %d is not Avro that this registry can read", v.number))
			continue
		}
		if !strings.HasPrefix(level, prefixForward) {
			found = append(found, told(schema.CannotRead(v.avro), "the new schema cannot read version", v.number)...)
		}
		if !strings.HasPrefix(level, prefixBackward) {
			found = append(found, told(v.avro.CannotRead(schema), "data of the new schema cannot be read by version", v.number)...)
		}
	}
	if len(found) > 0 {
		found = append(found, fmt.Sprintf("{compatibility: '%s'}", level))
	}
	return found
}

func told(found []schemas.Incompatibility, who string, number int) []string {
	var lines []string
	for i, f := range found {
		if i == maxShownProblems {
			return append(lines, fmt.Sprintf("and %d more", len(found)-i))
		}
		lines = append(lines, fmt.Sprintf("{errorType:'%s', description:'%s %d: at path %s, %s'}", f.Kind, who, number, f.Path, f.Detail))
	}
	return lines
}

func incompatible(subject string, found []string) error {
	details := strings.Join(found, ", ")
	if len(details) > maxProblemMessage {
		details = details[:maxProblemMessage] + " …"
	}
	return faultf(codeIncompatible, "Schema being registered is incompatible with an earlier schema for subject %q, details: [%s]", subject, strings.ToValidUTF8(details, ""))
}
