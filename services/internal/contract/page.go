package contract

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/problem"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

// pagePolicy lets nothing in but the page's own style.
var pagePolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-" + hash(pageStyle) + "'"

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"roles": roles, "example": exampleText, "fields": func(e schemas.Entry) []pageField { return fieldsOf(recordOf(e.Schema)) },
	"sendable": sendable,
}).Parse(pageText))

// pageField is a field of an event, for a reader.
type pageField struct {
	Name, Type, Codes, Doc string
	Required               bool
}

func fieldsOf(r avroRecord) []pageField {
	var all []pageField
	for _, f := range r.Fields {
		all = append(all, pageField{f.Name, words(f.Type), f.Codes, f.Doc, f.required()})
	}
	return all
}

// pageGroup are the doors of a group.
type pageGroup struct {
	Name, Text string
	Doors      []Door
}

// Problems are the codes that a door may answer with.
func (d Door) Problems() string {
	var codes []string
	for _, c := range d.problems {
		if !slices.Contains(codes, string(c)) {
			codes = append(codes, string(c))
		}
	}
	return strings.Join(codes, ", ")
}

// Page is the page for people.
func Page() []byte {
	var byGroup []pageGroup
	for _, g := range groups {
		group := pageGroup{Name: g.name, Text: g.text}
		for _, d := range Doors() {
			if d.Group == g.name {
				group.Doors = append(group.Doors, d)
			}
		}
		byGroup = append(byGroup, group)
	}
	var page bytes.Buffer
	err := pageTemplate.Execute(&page, map[string]any{
		"Style": template.CSS(pageStyle), //nolint:gosec // it is our own
		"About": about, "Groups": byGroup, "Events": schemas.Catalogue(), "Tables": schemas.CodeTables(), "Problems": problem.Documents(),
		"OpenAPI": OpenAPIPath, "AsyncAPI": AsyncAPIPath,
	})
	if err != nil {
		panic(fmt.Sprintf("contract: %v", err))
	}
	return page.Bytes()
}

// roles lists roles for a reader.
func roles(all []schemas.Role) string {
	if len(all) == 0 {
		return "nobody"
	}
	list := make([]string, len(all))
	for i, r := range all {
		list[i] = string(r)
	}
	return strings.Join(list, ", ")
}

func exampleText(e schemas.Entry) string {
	text, err := json.MarshalIndent(Example(e), "", "  ")
	if err != nil {
		panic(fmt.Sprintf("contract: %v", err))
	}
	return string(text)
}
