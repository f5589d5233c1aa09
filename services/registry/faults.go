package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/relais-fr/relais/services/internal/auth"
)

// fault is an answer that is not what was asked for: the registry's own error
// code, whose first three digits are the HTTP status, and a sentence.
type fault struct {
	code    int
	message string
}

func (f *fault) Error() string { return f.message }

// status is the HTTP status that belongs to the code.
func (f *fault) status() int {
	for code := f.code; ; code /= 10 {
		if code < 1000 {
			return code
		}
	}
}

// The registry's error codes, as its clients know them.
const (
	codeBadRequest       = 400
	codeNotSignedIn      = 401
	codeForbidden        = 403
	codeNotFound         = 404
	codeIncompatible     = 409
	codeTooMany          = 429
	codeNotReady         = 503
	codeNoSubject        = 40401
	codeNoVersion        = 40402
	codeNoSchema         = 40403
	codeSubjectDeleted   = 40404
	codeSubjectLive      = 40405
	codeVersionDeleted   = 40406
	codeVersionLive      = 40407
	codeNoSubjectLevel   = 40408
	codeNoSubjectMode    = 40409
	codeInvalidSchema    = 42201
	codeInvalidVersion   = 42202
	codeInvalidLevel     = 42203
	codeInvalidMode      = 42204
	codeNotPermitted     = 42205
	codeInvalidSubject   = 42208
	codeSchemaTooLarge   = 42209
	codeInvalidRuleSet   = 42210
	codeStore            = 50001
	codeOperationTimeout = 50002
)

func faultf(code int, format string, args ...any) *fault {
	return &fault{code, fmt.Sprintf(format, args...)}
}

func noSubject(subject string) *fault {
	return faultf(codeNoSubject, "Subject '%s' not found.", subject)
}

func noVersion(number any) *fault { return faultf(codeNoVersion, "Version %v not found.", number) }

func noSchema(id any) *fault { return faultf(codeNoSchema, "Schema %v not found", id) }

// faultOf is what a caller is told of an error.
func faultOf(err error) *fault {
	var f *fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, auth.ErrForbidden):
		return faultf(codeForbidden, "Schemas are registered, changed and removed by the admin; participants may read and check them.")
	case errors.Is(err, auth.ErrTooMany):
		return faultf(codeTooMany, "%s", err)
	case errors.Is(err, auth.ErrNotYet):
		return faultf(codeNotReady, "%s", err)
	case errors.Is(err, auth.ErrNoToken), errors.Is(err, auth.ErrBadToken), errors.Is(err, auth.ErrExpired):
		return faultf(codeNotSignedIn, "%s; a client that has only user and password gives the participant's id and an API key", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return faultf(codeOperationTimeout, "The write to the schema log is not confirmed: ask again.")
	default:
		return faultf(codeStore, "The schema log cannot be written or read: try again.")
	}
}
