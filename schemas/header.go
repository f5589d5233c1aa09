package schemas

// Header is one header of a record on a topic: a `ce_…` attribute or the
// content type. Keys are lower case; a repeated key makes an event malformed.
type Header struct {
	Key   string
	Value []byte
}
