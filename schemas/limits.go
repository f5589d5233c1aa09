package schemas

// Bounds on everything whose size or depth bytes from outside can ask for. What
// goes beyond is refused as too_large, or as malformed where a field is at fault.
const (
	// MaxEventBytes bounds a whole event, attributes included.
	MaxEventBytes = 512 << 10
	// MaxDataBytes bounds an event's data, unpacked.
	MaxDataBytes = 256 << 10
	// MaxSealedBytes bounds the field sealed.
	MaxSealedBytes = 64 << 10

	// MaxHeaders and MaxHeaderBytes bound a record's headers: how many, and the
	// length of one value.
	MaxHeaders     = 64
	MaxHeaderBytes = 4 << 10

	// MaxJSONDepth bounds how deep objects and arrays may nest.
	MaxJSONDepth = 16

	// MaxStringBytes bounds a string field that has no bound of its own.
	MaxStringBytes = 200
	// MaxSentenceBytes bounds the sentences of a refusal and its detail.
	MaxSentenceBytes = 600
	// MaxSignatureBytes bounds the signature of a statement.
	MaxSignatureBytes = 1024

	// MaxStatementEntries bounds the entries of a statement, all ranges together, in
	// bytes.
	MaxStatementEntries = 160 << 10

	// MaxListItems bounds any list; the fields below have closer bounds.
	MaxListItems        = 1024
	MaxAttachments      = 20
	MaxInformationItems = 20
	MaxOperators        = 20
	MaxServices         = 20
	MaxThemes           = 3
	MaxTold             = 50

	// MaxAttachmentBytes bounds the size that a reference may announce.
	MaxAttachmentBytes = 1 << 30
	// MaxGroupSize bounds a collective session.
	MaxGroupSize = 1000
	// MaxPlannedDelayDays bounds a recipient's estimate.
	MaxPlannedDelayDays = 730
)
