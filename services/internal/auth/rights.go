package auth

import (
	"maps"
	"net/http"
	"slices"

	"github.com/relais-fr/relais/schemas"
)

// Door is who may come in at one HTTP door. What one may see or do inside (one's own
// cases, one's own topic) is the service's matter.
type Door struct {
	// Everyone opens it without a credential.
	Everyone bool
	// Roles are who may come in with one.
	Roles []schemas.Role
	// Open opens it to everyone without --secure, as the clients of a schema registry
	// are used to.
	Open bool
	// Hint is told to who may not come in: whose the door is, and what to do instead.
	Hint string
	// Long is a request that may stay open: it ends when its sender may come in no
	// more. So does every NDJSON upload.
	Long bool
	// Own is a service that calls Admit for itself, to refuse in its clients' words.
	Own bool
}

// Sets of roles.
var (
	admins       = []schemas.Role{schemas.RoleAdmin}
	participants = []schemas.Role{schemas.RoleOperator, schemas.RolePartner, schemas.RoleFeeder, schemas.RoleOffice}
	signedIn     = slices.Concat(admins, participants)
)

// Kinds of doors.
var (
	everyones     = Door{Everyone: true}
	admin         = Door{Roles: admins, Hint: "this door is the admin's"}
	participant   = Door{Roles: participants, Hint: "this door is for those who exchange events: an admin has none of its own"}
	anyone        = Door{Roles: signedIn}
	stream        = Door{Roles: participants, Long: true, Hint: participant.Hint}
	redrives      = Door{Roles: admins, Hint: "dead letters are redriven by admins; a participant asks for a replay of its own events"}
	order         = Door{Roles: signedIn, Long: true}
	schemaReader  = Door{Roles: slices.Concat(signedIn, []schemas.Role{schemas.RoleHub}), Open: true, Own: true}
	schemaChanger = Door{Roles: slices.Concat(admins, []schemas.Role{schemas.RoleHub}), Open: true, Own: true}
)

// doors is the one table of rights at the HTTP doors. A door that is not in it
// cannot be opened: services.Doors refuses to register it. What is told without a
// credential names nobody: whether the hub lives, its metrics (participants and
// counts, never a person or an event; keep them from outside at the network), the
// keys of its statements, its documents. The office's page lets nobody in who is not
// on loopback, until there is sign-in for counsellors.
var doors = map[string]Door{
	"GET /healthz": everyones,
	"GET /readyz":  everyones,
	"GET /metrics": everyones,

	// gateway
	"POST /v1/events":                     participant,
	"GET /v1/events/{place}":              anyone,
	"GET /v1/schemas/uses":                anyone,
	"GET /v1/quarantine":                  admin,
	"GET /v1/quarantine/{place}":          admin,
	"POST /v1/quarantine/{place}/redrive": admin,
	// ledger
	"GET /v1/cases/{case}": anyone,
	"POST /v1/repairs":     admin,
	// router
	"GET /v1/deliveries":                     anyone,
	"GET /v1/deliveries/{place}/{recipient}": anyone,
	"POST /v1/redrives":                      redrives,
	"POST /v1/replays":                       order,
	// courier
	"GET /v1/mailbox":      stream,
	"POST /v1/mailbox/ack": participant,
	"GET /v1/stream":       stream,
	// directory
	"POST /v1/directory/imports":              admin,
	"GET /v1/directory/imports/{plan}":        admin,
	"POST /v1/directory/imports/{plan}/apply": admin,
	"GET /v1/directory/settings":              admin,
	"PUT /v1/directory/settings/{name}":       admin,
	"GET /v1/directory/rules":                 admin,
	"GET /v1/directory/offices":               anyone,
	"GET /v1/directory/offices/{id}":          anyone,
	"GET /v1/directory/participants":          anyone,
	"GET /v1/directory/services":              anyone,
	"GET /v1/participants":                    admin,
	"POST /v1/participants":                   admin,
	"GET /v1/participants/{id}":               admin,
	"DELETE /v1/participants/{id}":            admin,
	"POST /v1/participants/{id}/rotate":       admin,
	"POST /v1/participants/{id}/suspend":      admin,
	"POST /v1/participants/{id}/resume":       admin,
	// observatory
	"GET /v1/audit":           order,
	"GET /v1/statements":      anyone,
	"GET /v1/statements/":     anyone,
	"GET /v1/statements/keys": everyones,

	// documents
	"GET /v1/openapi.json":  everyones,
	"GET /v1/asyncapi.json": everyones,
	"GET /docs":             everyones,

	// inbox
	"GET /{$}":                                     everyones,
	"GET /assets/":                                 everyones,
	"GET /offices/{office}":                        everyones,
	"GET /offices/{office}/{$}":                    everyones,
	"GET /offices/{office}/events":                 everyones,
	"GET /offices/{office}/find":                   everyones,
	"GET /offices/{office}/new/{action}":           everyones,
	"GET /offices/{office}/cases/{case}":           everyones,
	"GET /offices/{office}/cases/{case}/reference": everyones,
	"GET /offices/{office}/visits/{day}/{visit}":   everyones,
	"GET /offices/{office}/submit":                 everyones,
	"POST /offices/{office}/submit":                everyones,

	// registry: whoever exchanges may read and check schemas; the admin registers, and
	// the hub its own
	"/":                                everyones, // of the registry, which answers what it does not know
	"GET /subjects":                    schemaReader,
	"GET /subjects/{subject}/versions": schemaReader,
	"GET /subjects/{subject}/versions/{version}":              schemaReader,
	"GET /subjects/{subject}/metadata":                        schemaReader,
	"GET /subjects/{subject}/versions/{version}/schema":       schemaReader,
	"GET /subjects/{subject}/versions/{version}/referencedby": schemaReader,
	"GET /schemas":                                    schemaReader,
	"GET /schemas/types":                              schemaReader,
	"GET /schemas/ids/{id}":                           schemaReader,
	"GET /schemas/ids/{id}/schema":                    schemaReader,
	"GET /schemas/ids/{id}/subjects":                  schemaReader,
	"GET /schemas/ids/{id}/versions":                  schemaReader,
	"GET /schemas/guids/{guid}":                       schemaReader,
	"GET /schemas/guids/{guid}/ids":                   schemaReader,
	"GET /config":                                     schemaReader,
	"GET /config/{subject}":                           schemaReader,
	"GET /mode":                                       schemaReader,
	"GET /mode/{subject}":                             schemaReader,
	"GET /contexts":                                   schemaReader,
	"GET /v1/metadata/id":                             schemaReader,
	"GET /v1/metadata/uses":                           schemaReader,
	"GET /v1/metadata/version":                        schemaReader,
	"GET /associations/resources/{namespace}/{name}":  schemaReader,
	"POST /subjects/{subject}/versions":               schemaChanger,
	"DELETE /subjects/{subject}":                      schemaChanger,
	"DELETE /subjects/{subject}/versions/{version}":   schemaChanger,
	"PUT /config":                                     schemaChanger,
	"PUT /config/{subject}":                           schemaChanger,
	"DELETE /config":                                  schemaChanger,
	"DELETE /config/{subject}":                        schemaChanger,
	"PUT /mode":                                       schemaChanger,
	"PUT /mode/{subject}":                             schemaChanger,
	"DELETE /mode":                                    schemaChanger,
	"DELETE /mode/{subject}":                          schemaChanger,
	"POST /subjects/{subject}":                        schemaReader,
	"POST /compatibility/subjects/{subject}/versions": schemaReader,
	"POST /compatibility/subjects/{subject}/versions/{version}": schemaReader,
}

// forbidden is ErrForbidden with what to do.
type forbidden struct{ hint string }

func (e *forbidden) Error() string {
	if e.hint == "" {
		return ErrForbidden.Error()
	}
	return e.hint
}

func (e *forbidden) Is(target error) bool { return target == ErrForbidden }

// Doors is the table, by the patterns under which the doors are registered.
func Doors() map[string]Door { return maps.Clone(doors) }

// Lets says whether the door is open to the role; "" is nobody known. Development is
// a hub without --secure.
func (d Door) Lets(role schemas.Role, development bool) bool {
	return d.Everyone || d.Open && development || role != "" && slices.Contains(d.Roles, role)
}

// Admit tells who sent the request, and lets it in at the door of that pattern; the
// principal is the zero one where nobody is asked.
func (a *Auth) Admit(r *http.Request, pattern string) (Principal, error) {
	door := doors[pattern]
	if door.Lets("", a.cfg.Development) {
		return Principal{}, nil
	}
	at := doorHTTP
	if door.Own {
		at = doorRegistry
	}
	p, err := a.authenticate(r, at)
	if err != nil {
		return Principal{}, err
	}
	if !door.Lets(p.Role, a.cfg.Development) {
		return Principal{}, &forbidden{door.Hint}
	}
	return p, nil
}
