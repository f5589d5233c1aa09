// Package schemas is the published language of Relais: the events that
// operators, offices and the hub exchange, in the order in which they happen.
//
// Read it in the order of the story:
//
//   - A referral is made (referral.go), an appointment is booked (appointment.go),
//     a visit is recorded (visit.go), and the hub answers (hub.go).
//   - catalogue.go lists every event, with who may send it and who gets it, in
//     French and English; catalogue_referral.go and its siblings hold the entries.
//   - codes.go has the tables of codes, and refusal.go the reasons for which the
//     hub does not accept something.
//   - Package lifecycle says what may follow what.
//   - caseid.go says how cases are named.
//
// Each event has its Avro schema beside it (referral_made.avsc), an example of its
// data in examples/, and every version of its schema that was ever released in
// released/; tests hold all of them together.
//
// Then comes the contract on the wire. event.go is the CloudEvents envelope, which
// travels as the headers of a record (event_headers.go) or as JSON
// (event_structured.go). json.go reads and writes an event's data as JSON,
// codec.go as Avro, and avro.go compares the schemas that others register.
// limits.go bounds what comes from outside, and validate.go judges the form of a
// payload.
//
// The machinery under all that stands in internal/: package avro for Avro that may
// be hostile, strictjson and shape for JSON, personal for what looks like personal
// data.
//
// The package knows nothing of Kafka, Redis or HTTP.
package schemas
