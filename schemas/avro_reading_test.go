package schemas_test

import (
	"fmt"

	"github.com/relais-fr/relais/schemas"
)

// A consumer's schema has a field more, with a default; data without it becomes data
// with it, and what is no data of the writer's is refused.
func ExampleNewAvroReading() {
	writer, _ := schemas.ParseAvro(`{"type":"record","name":"Visit","fields":[{"name":"reason","type":"string"}]}`)
	reader, _ := schemas.ParseAvro(`{"type":"record","name":"Visit","fields":[{"name":"reason","type":"string"},{"name":"by","type":"string","default":"?"}]}`)
	fmt.Println(len(reader.CannotRead(writer)))
	reading := schemas.NewAvroReading(reader, writer)
	data, err := reading.Canonical([]byte("\x04ok"))
	fmt.Printf("%q %v\n", data, err)
	_, err = reading.Canonical([]byte("\x04o"))
	fmt.Println(err)
	// Output:
	// 0
	// "\x04ok\x02?" <nil>
	// the Avro data, at the field reason, ends too early: is it cut short, or written with another schema?
}
