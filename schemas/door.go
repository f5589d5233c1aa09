package schemas

import (
	"fmt"
	"strconv"
	"strings"
)

// DoorHTTP is what AttrDoor says of a submission that came by HTTP.
const DoorHTTP = "http"

// Door is how a submission came in, as AttrDoor says: by HTTP, or as a record of a
// participant's topic. Whoever compares what was handed in with what became of it
// goes by that.
type Door struct {
	// Topic is the topic's name without the installation's prefix, `from.cnaf`;
	// empty for HTTP.
	Topic     string
	Partition int
	Offset    int64
}

// String is `http`, or `from.cnaf/2/1041`.
func (d Door) String() string {
	if d.Topic == "" {
		return DoorHTTP
	}
	return fmt.Sprintf("%s/%d/%d", d.Topic, d.Partition, d.Offset)
}

// ParseDoor reads what Door.String writes, and nothing else.
func ParseDoor(s string) (Door, error) {
	if s == DoorHTTP {
		return Door{}, nil
	}
	topic, place, _ := strings.Cut(s, "/")
	partition, offset, _ := strings.Cut(place, "/")
	p, perr := strconv.Atoi(partition)
	o, oerr := strconv.ParseInt(offset, 10, 64)
	d := Door{Topic: topic, Partition: p, Offset: o}
	if topic == "" || perr != nil || oerr != nil || p < 0 || o < 0 || d.String() != s {
		return Door{}, fmt.Errorf("%q is not a door: it looks like http or from.cnaf/2/1041", s)
	}
	return d, nil
}
