// Package schemas is the published language of Relais: the events that
// operators, offices and the hub exchange, in the order in which they happen.
//
// Read it in the order of the story: a referral is made (referral.go), an
// appointment is booked (appointment.go), a visit is recorded (visit.go), and
// the hub answers (hub.go). catalogue.go lists every event with who may send it
// and who gets it; codes.go has the tables of codes; package lifecycle says what
// may follow what. Each event has its Avro schema beside it (referral_made.avsc),
// an example of its data in examples/, and every version of its schema that was
// ever released in released/; tests hold all of them together.
//
// After the language comes the machinery: limits.go bounds what comes from
// outside, refusal.go says why something is not accepted, validate.go judges the
// form of a payload and parsejson.go reads one from JSON; event.go is the
// CloudEvents envelope, codec.go turns an event into bytes and back.
//
// The package knows nothing of Kafka, Redis or HTTP.
package schemas
