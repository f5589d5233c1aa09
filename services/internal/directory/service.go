package directory

import "slices"

// Service is one entry of the national basket: what a person may come for.
type Service struct {
	// Code is `<theme>/<name>`, such as logement/expulsion-du-logement.
	Code  string `json:"code"`
	Theme string `json:"theme"`
	Label string `json:"label"`
	// Operators are the participants competent for it.
	Operators []string `json:"operators"`
	// Outside are competent bodies that do not take part, such as `mairie`.
	Outside []string `json:"outside,omitempty"`
}

// OfferedBy says whether the operator is competent for the service.
func (s Service) OfferedBy(operator string) bool { return slices.Contains(s.Operators, operator) }

// Setting is one of the hub's own settings that every service must agree on.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Names of settings.
const (
	// SettingPartitions is the number of partitions by which keys are placed,
	// written once when the installation is created.
	SettingPartitions = "partitions"
	// SettingRules is the rules version in force.
	SettingRules = "rules"
	// SettingStatementKey begins the settings that hold the public keys of
	// statements, in base64; the key's id follows. They stay for ever.
	SettingStatementKey = "statement-key."
)
