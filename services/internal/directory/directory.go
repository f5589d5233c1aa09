// Package directory knows who takes part in the exchange: participants, the
// offices, the services of the national basket, the hub's settings, and by what
// participants prove who they are, as they stand on the compacted topic `relais.directory`.
//
// It knows the records, their keys and a View that follows the topic; services
// look up in it who a sender is, whether an office or a service exists, and in
// which territory. It leaves to services/directory, the topic's only writer,
// where the records come from: the official list, the reference data, imports
// and their differences.
//
// Every value is JSON. A null value means that the key is gone. A reader ignores
// fields and key prefixes that it does not know, so that a newer writer does not
// break it.
package directory

import (
	"strings"

	"github.com/relais-fr/relais/schemas"
)

// Topic is the name of the directory's topic, without the installation's prefix.
const Topic = "directory"

// Role is what a participant is to the exchange.
type Role = schemas.Role

// The roles that a participant of the directory may have.
const (
	RoleOffice   = schemas.RoleOffice
	RoleOperator = schemas.RoleOperator
	RolePartner  = schemas.RolePartner
	RoleFeeder   = schemas.RoleFeeder
	RoleAdmin    = schemas.RoleAdmin
	RoleHub      = schemas.RoleHub
)

const (
	participantPrefix = "participant/"
	officePrefix      = "office/"
	servicePrefix     = "service/"
	settingPrefix     = "setting/"
	credentialPrefix  = "credential/" //nolint:gosec // of keys of records
)

// ParticipantKey is the record key of a participant that is not an office.
func ParticipantKey(id string) string { return participantPrefix + id }

// OfficeKey is the record key of an office.
func OfficeKey(id string) string { return officePrefix + id }

// ServiceKey is the record key of a service of the basket.
func ServiceKey(code string) string { return servicePrefix + code }

// SettingKey is the record key of a setting.
func SettingKey(name string) string { return settingPrefix + name }

// CredentialKey is the record key of a participant's credential.
func CredentialKey(participant, id string) string {
	return credentialPrefix + participant + "/" + id
}

// DemoPrefix begins the ids of the project's own sample offices. No official
// office has it, and no import touches an office that has.
const DemoPrefix = "demo-"

// OfficialPrefix begins the ids of the offices of the official list.
const OfficialPrefix = "fs-"

// IsDemo says whether the id is that of a sample office.
func IsDemo(id string) bool { return strings.HasPrefix(id, DemoPrefix) }
