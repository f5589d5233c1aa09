package observatory

// The gateway's stamp on a submission says by which door it came: http, or the
// short name, partition and offset on a `from` topic, as from.cnaf/2/1041.
const (
	headerDoor = "ce_door"
	doorHTTP   = "http"
)
