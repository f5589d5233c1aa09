package contract

import (
	"maps"
	"slices"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/problem"
)

// Door is one call of the hub's HTTP doors.
type Door struct {
	// Method and Path are the route as the mux has it.
	Method, Path string
	// Group is what it belongs to.
	Group string
	// Summary is a line, Text more.
	Summary, Text string

	params   []param
	body     object // by media type
	answers  map[string]object
	problems []schemas.Reason
}

// Who may call the door, by the table of rights.
func (d Door) Who() string {
	rights := auth.Doors()[d.Method+" "+d.Path]
	switch {
	case rights.Everyone:
		return anybody
	case len(rights.Roles) == 1:
		return string(rights.Roles[0])
	case slices.Contains(rights.Roles, schemas.RoleAdmin):
		return "participant, admin"
	default:
		return "participant"
	}
}

const anybody = "anybody"

// The groups, in the order of the page.
const (
	groupEvents     = "events"
	groupMailbox    = "mailbox"
	groupDeliveries = "deliveries"
	groupProof      = "proof"
	groupDirectory  = "directory"
	groupRunning    = "running the hub"
	groupContract   = "contract"
)

var groups = []struct{ name, text string }{
	{groupEvents, "Hand events in, and ask what became of them."},
	{groupMailbox, "Get events without Kafka."},
	{groupDeliveries, "What is not delivered or not collected, and how to have it again."},
	{groupProof, "Signed statements and audits."},
	{groupDirectory, "Participants, offices, services and settings."},
	{groupRunning, "For the people who run the hub."},
	{groupContract, "These documents."},
}

// param is a parameter of a call.
type param struct {
	in, name, text string
	schema         object
}

func query(name, text string, schema object) param  { return param{"query", name, text, schema} }
func header(name, text string, schema object) param { return param{"header", name, text, schema} }
func inPath(name, text string) param                { return param{"path", name, text, text1} }

// Schemas of parameters.
var (
	text1   = object{"type": "string"}
	instant = object{"type": "string", "format": "date-time"}
)

func number(least, most int) object {
	return object{"type": "integer", "minimum": least, "maximum": most}
}

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

func jsonAnswer(text string, schema object) object {
	return answerOf(text, schemas.JSONContentType, schema)
}

func answerOf(text, mediaType string, schema object) object {
	return object{"description": text, "content": object{mediaType: object{"schema": schema}}}
}

func lines(text, schema string) object {
	return answerOf(text, "application/x-ndjson", object{"type": "string", "description": "A line each of " + schema + "."})
}

func jsonBody(schema object) object { return object{schemas.JSONContentType: object{"schema": schema}} }

// Problems that many doors have.
var (
	signedIn  = []schemas.Reason{problem.CodeNotSignedIn, problem.CodeTokenExpired, problem.CodeForbidden, schemas.ReasonRateExceeded, schemas.ReasonNotReady}
	adminOnly = signedIn
)

func and(all []schemas.Reason, more ...schemas.Reason) []schemas.Reason {
	return append(append([]schemas.Reason{}, all...), more...)
}

// ofForm are the reasons for which an event is refused at the door, and of the ledger's
// verdict, where the caller waits for it.
var ofForm = []schemas.Reason{
	problem.CodeNotSignedIn, problem.CodeTokenExpired, problem.CodeForbidden, problem.CodeUnsupported,
	schemas.ReasonUnknownSchema, schemas.ReasonMalformed, schemas.ReasonTooLarge, schemas.ReasonNotYourParticipant,
	schemas.ReasonUnknownParticipant, schemas.ReasonUnknownService, schemas.ReasonTransitionNotAllowed, schemas.ReasonNotAParty,
	schemas.ReasonDuplicateIDOtherContent, schemas.ReasonMandateNotValid, schemas.ReasonPersonalDataInClear,
	schemas.ReasonAgreementMissing, schemas.ReasonNotYetDue, schemas.ReasonHubError, schemas.ReasonRateExceeded, schemas.ReasonNotReady,
}

var (
	wait  = header("Prefer", "`wait=N`: wait up to N seconds, 60 at most.", object{"type": "string", "examples": []string{"wait=5"}})
	place = inPath("place", "The place of a submission, such as 3-1042.")
)

// Doors are all calls of the HTTP doors but those of the office's page, which is for
// browsers, in the order of the page.
func Doors() []Door {
	return concat(eventDoors(), mailboxDoors(), deliveryDoors(), proofDoors(), directoryDoors(), participantDoors(), runningDoors(), contractDoors())
}

func concat(all ...[]Door) []Door {
	var doors []Door
	for _, group := range all {
		doors = append(doors, group...)
	}
	return doors
}

func eventDoors() []Door {
	answers := map[string]object{
		"200": {
			"description": "The outcome is there, as `Prefer: wait` asked; or, for a batch or a stream, an answer for each event.",
			"content": object{
				schemas.JSONContentType: object{"schema": object{"anyOf": []any{ref("EventAnswer"), object{"type": "array", "items": ref("EventAnswer")}}}},
				"application/x-ndjson":  object{"schema": object{"type": "string", "description": "A line each of EventAnswer."}},
			},
		},
		"202": jsonAnswer("The event is written; its outcome can be asked for at Location.", ref("EventAnswer")),
	}
	return []Door{
		{
			Method: "POST", Path: "/v1/events", Group: groupEvents,
			Summary: "Hand in one event, a batch or a stream",
			Text: "One event as a CloudEvent in JSON, or as ce- headers with its data as JSON or Avro; a batch, up to 1,000 and 4 MB; or a stream, one event a line. " +
				"What was taken is never taken twice: repeat an event with the same id when you don't know what became of it.",
			params: []param{wait, header("Content-Encoding", "gzip, or none.", object{"type": "string", "enum": []string{"gzip", "identity"}})},
			body:   handedIn(), answers: answers, problems: ofForm,
		},
		{
			Method: "GET", Path: "/v1/events/{place}", Group: groupEvents,
			Summary: "Ask what became of an event", Text: "For its sender, and whoever handed it in. To anybody else it is not there.",
			params:   []param{place},
			answers:  map[string]object{"200": jsonAnswer("The outcome, or `pending`.", ref("EventAnswer"))},
			problems: and(signedIn, problem.CodeNotFound),
		},
		{
			Method: "GET", Path: "/v1/schemas/uses", Group: groupEvents,
			Summary: "Which schemas your events were written with", Text: "As far as this gateway saw since it began; an admin sees everybody's.",
			answers:  map[string]object{"200": jsonAnswer("The uses.", object{"type": "object"})},
			problems: signedIn,
		},
		{
			Method: "GET", Path: "/v1/cases/{case}", Group: groupEvents,
			Summary: "A case's whole story, as the log tells it", Text: "For its parties. What is sealed stays out.",
			params:   []param{inPath("case", "The id of the case."), query("at", "The story up to this time.", instant)},
			answers:  map[string]object{"200": jsonAnswer("States, parties and what happened.", object{"type": "object"})},
			problems: and(signedIn, problem.CodeNotFound, schemas.ReasonMalformed, schemas.ReasonNotAParty, problem.CodeInternal),
		},
	}
}

func mailboxDoors() []Door {
	start := query("cursor", "What Relais-Cursor or an event's id said, or `now` for the end. Without one from the beginning.", text1)
	events := batches(func(e schemas.Entry) bool { return len(e.Recipients) > 0 }, delivered)
	return []Door{
		{
			Method: "GET", Path: "/v1/mailbox", Group: groupMailbox,
			Summary: "The events that the hub has for you",
			Text:    "From the cursor on, oldest first. Handing a cursor in again acknowledges what came before it. After a crash events may come again: drop by place what you have.",
			params: []param{
				start, query("limit", "How many at most.", number(1, 1000)), wait,
			},
			answers: map[string]object{"200": {
				"description": "The events.",
				"headers": object{
					"Relais-Cursor": object{"description": "The cursor for the next request.", "schema": text1},
					"Relais-More":   object{"description": "`true` when there is more already.", "schema": text1},
				},
				"content": object{schemas.BatchContentType: object{
					"schema": object{"type": "array", "items": ref("CloudEvent")}, "examples": events,
				}},
			}},
			problems: and(signedIn, schemas.ReasonMalformed, problem.CodeGone, problem.CodeInternal),
		},
		{
			Method: "POST", Path: "/v1/mailbox/ack", Group: groupMailbox,
			Summary: "Acknowledge what came before a cursor", Text: "What is not acknowledged is told to its sender after a while as not collected.",
			body:     jsonBody(object{"type": "object", "properties": object{"cursor": text1}, "required": []string{"cursor"}}),
			answers:  map[string]object{"204": {"description": "It is acknowledged."}},
			problems: and(signedIn, schemas.ReasonMalformed, schemas.ReasonTooLarge, problem.CodeGone, problem.CodeInternal),
		},
		{
			Method: "GET", Path: "/v1/stream", Group: groupMailbox,
			Summary:  "The events that the hub has for you, as they come",
			Text:     "Server-sent events. Each has the cursor after it as its id: come back with it as Last-Event-ID, as clients of such streams do by themselves, and the next event comes.",
			params:   []param{start, header("Last-Event-ID", "The id of the last event that you have.", text1)},
			answers:  map[string]object{"200": answerOf("The stream: each event is a CloudEvent in JSON.", "text/event-stream", object{"type": "string"})},
			problems: and(signedIn, schemas.ReasonMalformed, problem.CodeGone, problem.CodeInternal),
		},
	}
}

func deliveryDoors() []Door {
	return []Door{
		{
			Method: "GET", Path: "/v1/deliveries", Group: groupDeliveries,
			Summary: "What could not be delivered, or is not collected", Text: "A participant sees those that it sent or is to get, an admin all.",
			params: []param{
				query("reason", "A code of the table delivery_reason.", ref(codesName(schemas.TableDeliveryReason))), query("recipient", "Whose.", text1), query("sender", "Sent by whom.", text1),
				query("before", "Those that have waited since before this time.", instant), query("limit", "How many at most.", number(1, 500)), query("cursor", "What `next` said.", text1),
			},
			answers:  map[string]object{"200": jsonAnswer("Groups, and one page of them.", object{"type": "object"})},
			problems: and(signedIn, schemas.ReasonMalformed),
		},
		{
			Method: "GET", Path: "/v1/deliveries/{place}/{recipient}", Group: groupDeliveries,
			Summary: "How far one delivery is", params: []param{place, inPath("recipient", "The participant, or the office's id.")},
			answers:  map[string]object{"200": jsonAnswer("Its state.", object{"type": "object"})},
			problems: and(signedIn, problem.CodeNotFound),
		},
		{
			Method: "POST", Path: "/v1/replays", Group: groupDeliveries,
			Summary: "Have your own events written again", Text: "A dry run unless dry_run is false. Replayed events carry the attribute replay.",
			body: jsonBody(object{"type": "object", "properties": object{
				"participant": text1, "from": instant, "to": instant, "types": object{"type": "array", "items": text1, "maxItems": 64}, "case": text1,
				"dry_run": object{"type": "boolean", "default": true}, "rate": number(1, 5000), "cursor": text1,
			}, "additionalProperties": false}),
			answers:  map[string]object{"200": lines("Progress, then the sum.", "how far it is")},
			problems: and(signedIn, schemas.ReasonMalformed, problem.CodeConflict),
		},
		{
			Method: "POST", Path: "/v1/redrives", Group: groupDeliveries,
			Summary: "Bring dead letters once more", Text: "A dry run unless dry_run is false.",
			body: jsonBody(object{"type": "object", "properties": object{
				"reason": text1, "recipient": text1, "sender": text1, "before": instant, "places": object{"type": "array", "items": text1, "maxItems": 1000},
				"dry_run": object{"type": "boolean", "default": true}, "rate": number(1, 5000),
			}, "additionalProperties": false}),
			answers:  map[string]object{"200": lines("Progress, then the sum.", "how far it is")},
			problems: and(adminOnly, schemas.ReasonMalformed, problem.CodeConflict),
		},
	}
}

func proofDoors() []Door {
	whose := query("participant", "Another's, for an admin.", text1)
	return []Door{
		{
			Method: "GET", Path: "/v1/statements", Group: groupProof,
			Summary: "Your signed statements", params: []param{whose, query("since", "Since this time; two days ago by default.", instant)},
			answers:  map[string]object{"200": lines("The statements.", "{id, data}, data as in StatementIssued")},
			problems: and(signedIn, schemas.ReasonMalformed),
		},
		{
			Method: "GET", Path: "/v1/statements/keys", Group: groupProof,
			Summary: "The public keys of statements", answers: map[string]object{"200": jsonAnswer("The keys.", object{"type": "object"})},
			problems: []schemas.Reason{schemas.ReasonNotReady},
		},
		{
			Method: "GET", Path: "/v1/statements/", Group: groupProof,
			Summary: "Nothing else is below statements", answers: map[string]object{}, problems: []schemas.Reason{problem.CodeNotFound},
		},
		{
			Method: "GET", Path: "/v1/audit", Group: groupProof,
			Summary: "Compare what was handed in with outcomes and effects", params: []param{whose, query("from", "From this time on.", instant), query("to", "Up to this time.", instant)},
			answers:  map[string]object{"200": lines("Progress, every difference, then the sums.", "what was found")},
			problems: and(signedIn, schemas.ReasonMalformed),
		},
	}
}

func directoryDoors() []Door {
	plan := inPath("plan", "The plan's id.")
	return []Door{
		{
			Method: "GET", Path: "/v1/directory/participants", Group: groupDirectory, Summary: "All participants",
			answers: map[string]object{"200": jsonAnswer("The participants.", object{"type": "object"})}, problems: signedIn,
		},
		{
			Method: "GET", Path: "/v1/directory/offices", Group: groupDirectory, Summary: "Find offices",
			params:  []param{query("q", "What people type: a name, a commune, a postcode.", text1), query("limit", "How many at most.", number(1, 5000))},
			answers: map[string]object{"200": jsonAnswer("The offices.", object{"type": "object"})}, problems: and(signedIn, schemas.ReasonMalformed),
		},
		{
			Method: "GET", Path: "/v1/directory/offices/{id}", Group: groupDirectory, Summary: "One office", params: []param{inPath("id", "The office's id, such as fs-563.")},
			answers: map[string]object{"200": jsonAnswer("The office.", object{"type": "object"})}, problems: and(signedIn, problem.CodeNotFound),
		},
		{
			Method: "GET", Path: "/v1/directory/services", Group: groupDirectory, Summary: "All services, by their codes",
			answers: map[string]object{"200": jsonAnswer("The services.", object{"type": "object"})}, problems: signedIn,
		},
		{
			Method: "POST", Path: "/v1/directory/imports", Group: groupDirectory, Summary: "Plan the import of a list of offices",
			params:  []param{query("as_of", "The day since which the list is valid.", object{"type": "string", "format": "date"})},
			body:    object{"text/csv": object{"schema": object{"type": "string", "description": "The official list, as it is published."}}},
			answers: map[string]object{"201": jsonAnswer("The plan: what the list would change.", object{"type": "object"})}, problems: and(adminOnly, schemas.ReasonMalformed, schemas.ReasonTooLarge, problem.CodeUnprocessable, problem.CodeInternal),
		},
		{
			Method: "GET", Path: "/v1/directory/imports/{plan}", Group: groupDirectory, Summary: "Show a plan", params: []param{plan},
			answers: map[string]object{"200": jsonAnswer("The plan.", object{"type": "object"})}, problems: and(adminOnly, problem.CodeNotFound),
		},
		{
			Method: "POST", Path: "/v1/directory/imports/{plan}/apply", Group: groupDirectory, Summary: "Carry a plan out", params: []param{plan},
			answers: map[string]object{"200": jsonAnswer("The plan, applied.", object{"type": "object"})}, problems: and(adminOnly, problem.CodeNotFound, problem.CodeConflict),
		},
		{
			Method: "GET", Path: "/v1/directory/settings", Group: groupDirectory, Summary: "The hub's settings",
			answers: map[string]object{"200": jsonAnswer("What is set, and what there is.", object{"type": "object"})}, problems: adminOnly,
		},
		{
			Method: "PUT", Path: "/v1/directory/settings/{name}", Group: groupDirectory, Summary: "Change a setting", params: []param{inPath("name", "The setting's name.")},
			body:    jsonBody(object{"type": "object", "properties": object{"value": text1}, "required": []string{"value"}, "additionalProperties": false}),
			answers: map[string]object{"200": jsonAnswer("The setting.", object{"type": "object"})}, problems: and(adminOnly, problem.CodeNotFound, problem.CodeConflict, schemas.ReasonMalformed, problem.CodeUnprocessable),
		},
		{
			Method: "GET", Path: "/v1/directory/rules", Group: groupDirectory, Summary: "The rules version in force, and what each ledger knows",
			answers: map[string]object{"200": jsonAnswer("The versions.", object{"type": "object"})}, problems: adminOnly,
		},
	}
}

// participantDoors are the admin's, where participants come and go.
func participantDoors() []Door {
	id := []param{inPath("id", "The participant's id, such as cnaf.")}
	whole := jsonAnswer("What its IT team needs; what is secret is told here once, and never again.", object{"type": "object"})
	view := jsonAnswer("The participant, its topics, groups and credentials, without what is secret.", object{"type": "object"})
	ways := func(more object) object {
		properties := object{
			"kafka": object{"type": "string", "enum": []string{"scram", "mtls", "none"}}, "http": object{"type": "string", "enum": []string{"api_key", "oauth", "none"}},
			"issuer": text1, "client": text1, "expires_in": object{"type": "integer", "minimum": 1, "maximum": 3650, "default": 365, "description": "Days."},
		}
		maps.Copy(properties, more)
		return object{"type": "object", "properties": properties, "additionalProperties": false}
	}
	newcomer := ways(object{
		"id": object{"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"}, "name": text1, "role": object{"type": "string", "enum": []string{"operator", "partner", "feeder"}},
		"feeds": object{"type": "array", "items": text1, "maxItems": 5000, "description": "Offices that a feeder hands in for, or *."},
	})
	newcomer["required"] = []string{"id"}
	ofWays := []schemas.Reason{schemas.ReasonMalformed, schemas.ReasonTooLarge, problem.CodeUnknownCredential, problem.CodeCredentialTaken, problem.CodeNotSecured}
	ofOne := and(adminOnly, problem.CodeNotFound, problem.CodeReservedID)
	return []Door{
		{
			Method: "GET", Path: "/v1/participants", Group: groupDirectory, Summary: "Participants with their credentials, without what is secret",
			answers: map[string]object{"200": jsonAnswer("The participants.", object{"type": "object"})}, problems: adminOnly,
		},
		{
			Method: "POST", Path: "/v1/participants", Group: groupDirectory, Summary: "Add a participant: topics, rights, credentials",
			Text: "What broke off is done again by the same call. An operator of the national basket needs no more than its id.", body: jsonBody(newcomer),
			answers: map[string]object{"201": whole}, problems: and(and(adminOnly, ofWays...), problem.CodeBadID, problem.CodeReservedID, problem.CodeUnknownRole,
				schemas.ReasonUnknownParticipant, problem.CodeParticipantExists, problem.CodeParticipantClosed),
		},
		{
			Method: "GET", Path: "/v1/participants/{id}", Group: groupDirectory, Summary: "One participant", params: id,
			answers: map[string]object{"200": view}, problems: and(adminOnly, problem.CodeNotFound),
		},
		{
			Method: "DELETE", Path: "/v1/participants/{id}", Group: groupDirectory, Summary: "Close a participant for good", Text: "Rights are denied first, then credentials deleted. Its topics stay until their retention, and its id is never used again.", params: id,
			answers: map[string]object{"200": view}, problems: ofOne,
		},
		{
			Method: "POST", Path: "/v1/participants/{id}/rotate", Group: groupDirectory, Summary: "Give a participant new credentials",
			Text: "Of the kinds that it has, where none are given. Old API keys live on for the overlap, 24h by default; a password at Kafka cannot.", params: id,
			body:    jsonBody(ways(object{"overlap": object{"type": "string", "default": "24h", "description": "Such as 24h or 0s."}})),
			answers: map[string]object{"200": whole}, problems: and(and(ofOne, ofWays...), problem.CodeConflict, problem.CodeParticipantClosed),
		},
		{
			Method: "POST", Path: "/v1/participants/{id}/suspend", Group: groupDirectory, Summary: "Shut every door for a participant, at once", Text: "What is open ends too. Nothing is deleted; what comes for it is held back until it is resumed.", params: id,
			answers: map[string]object{"200": view}, problems: and(ofOne, problem.CodeParticipantClosed),
		},
		{
			Method: "POST", Path: "/v1/participants/{id}/resume", Group: groupDirectory, Summary: "Open the doors again", params: id,
			answers: map[string]object{"200": view}, problems: and(ofOne, problem.CodeParticipantClosed),
		},
	}
}

func runningDoors() []Door {
	ready := answerOf("Every service is ready.", "text/plain", object{"type": "string"})
	return []Door{
		{
			Method: "GET", Path: "/v1/quarantine", Group: groupRunning, Summary: "What could not be read",
			params:  []param{query("cursor", "What `next` said.", text1), query("limit", "How many at most.", number(1, 500))},
			answers: map[string]object{"200": jsonAnswer("One page.", object{"type": "object"})}, problems: and(adminOnly, problem.CodeUnprocessable),
		},
		{
			Method: "GET", Path: "/v1/quarantine/{place}", Group: groupRunning, Summary: "One record that could not be read", params: []param{inPath("place", "Its place in quarantine, such as 0-12.")},
			answers: map[string]object{"200": jsonAnswer("The record.", object{"type": "object"})}, problems: and(adminOnly, problem.CodeNotFound),
		},
		{
			Method: "POST", Path: "/v1/quarantine/{place}/redrive", Group: groupRunning, Summary: "Judge a record of the quarantine again", params: []param{inPath("place", "Its place in quarantine, such as 0-12.")},
			answers: map[string]object{"202": jsonAnswer("It is written.", ref("EventAnswer"))}, problems: and(ofForm, problem.CodeNotFound, problem.CodeUnprocessable),
		},
		{
			Method: "POST", Path: "/v1/repairs", Group: groupRunning, Summary: "Make the logs of a halted partition go on",
			body:     jsonBody(object{"type": "object", "properties": object{"partition": number(0, 1<<20), "yes": object{"type": "boolean", "default": false}}, "additionalProperties": false}),
			answers:  map[string]object{"200": jsonAnswer("What was done, or would be.", object{})},
			problems: and(adminOnly, schemas.ReasonMalformed, problem.CodeNotFound),
		},
		{
			Method: "GET", Path: "/metrics", Group: groupRunning, Summary: "Metrics, for Prometheus",
			answers: map[string]object{"200": answerOf("The metrics.", "text/plain", object{"type": "string"})},
		},
		{
			Method: "GET", Path: "/healthz", Group: groupRunning, Summary: "Whether the process lives",
			answers: map[string]object{"200": answerOf("It does.", "text/plain", object{"type": "string"})},
		},
		{
			Method: "GET", Path: "/readyz", Group: groupRunning, Summary: "Whether every service is ready, a line each",
			answers: map[string]object{"200": ready, "503": answerOf("One is not, and says why.", "text/plain", object{"type": "string"})},
		},
	}
}

func contractDoors() []Door {
	return []Door{
		{
			Method: "GET", Path: OpenAPIPath, Group: groupContract, Summary: "This document",
			answers: map[string]object{"200": answerOf("OpenAPI 3.1.", "application/openapi+json", object{"type": "object"}), "304": {"description": "As your ETag has it."}},
		},
		{
			Method: "GET", Path: AsyncAPIPath, Group: groupContract, Summary: "The topics, for those who take Kafka",
			answers: map[string]object{"200": answerOf("AsyncAPI 3.", "application/vnd.aai.asyncapi+json", object{"type": "object"}), "304": {"description": "As your ETag has it."}},
		},
		{
			Method: "GET", Path: PagePath, Group: groupContract, Summary: "Events, codes and doors, for people",
			answers: map[string]object{"200": answerOf("The page.", "text/html", object{"type": "string"}), "304": {"description": "As your ETag has it."}},
		},
	}
}
