// Package defect holds defects that are put into the code on purpose, to see that
// the proofs find them. None lives in the product: a defect is a few words of a
// source file and what stands there instead, and `go build -overlay` takes it from
// a folder apart.
//
// Package model builds itself with each and demands that it fails; the fault
// harness builds services with some. The package knows where the code keeps each
// clause of the guarantee, and leaves to them how its absence shows.
package defect

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Defect is a change that breaks one clause of the guarantee, or, of a Tool, what
// a test build needs and a product must not have.
type Defect struct {
	// Name is what it is asked for by: `fold-left-out`.
	Name string
	// Clause is the sentence that holds no longer with it.
	Clause string
	Edits  []Edit
}

// Edit replaces Old, which stands exactly once in File, with New. An edit without
// Old adds the file. File is the path from the module's folder, with slashes.
type Edit struct{ File, Old, New string }

// ByName finds defects and tools by name.
func ByName(names ...string) ([]Defect, error) {
	var found []Defect
	var problems []error
next:
	for _, name := range names {
		for _, d := range append(All(), Tools()...) {
			if d.Name == name {
				found = append(found, d)
				continue next
			}
		}
		problems = append(problems, fmt.Errorf("no defect is called %q", name))
	}
	return found, errors.Join(problems...)
}

// Root is the module's folder, looked for from the working folder upwards.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("no go.mod in this folder or above")
		}
		dir = filepath.Dir(dir)
	}
}

// Overlay writes the changed files of the defects into the folder dir, and an
// overlay.json that names them, for `go build -overlay`. root is the module's
// folder. It returns the path of overlay.json.
func Overlay(root, dir string, defects ...Defect) (string, error) {
	changed := map[string]string{}
	for _, d := range defects {
		for _, e := range d.Edits {
			text, err := e.apply(root, changed)
			if err != nil {
				return "", fmt.Errorf("defect %s: %w", d.Name, err)
			}
			changed[e.File] = text
		}
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	for file, text := range changed {
		into := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(into), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(into, []byte(text), 0o644); err != nil {
			return "", err
		}
		overlay.Replace[filepath.Join(root, filepath.FromSlash(file))] = into
	}
	data, err := json.MarshalIndent(overlay, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, data, 0o644)
}

// apply is the file's text after the edit; changed holds what earlier edits made
// of files.
func (e Edit) apply(root string, changed map[string]string) (string, error) {
	text, known := changed[e.File]
	if !known {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(e.File)))
		switch {
		case e.Old == "" && errors.Is(err, os.ErrNotExist):
			return e.New, nil
		case err != nil:
			return "", err
		}
		text = string(data)
	}
	if e.Old == "" {
		return "", fmt.Errorf("%s exists already", e.File)
	}
	if n := strings.Count(text, e.Old); n != 1 {
		return "", fmt.Errorf("%s has %d places, and not one, that read:\n%s", e.File, n, e.Old)
	}
	return strings.Replace(text, e.Old, e.New, 1), nil
}
