package officelist

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// The encodings in which lists have been seen.
const (
	encodingUTF8        = "UTF-8"
	encodingUTF8BOM     = "UTF-8 with BOM"
	encodingWindows1252 = "Windows-1252"
)

// decode makes a UTF-8 text of the file and names its encoding. Bytes that are
// none of it become U+FFFD.
func decode(data []byte) (text, encoding string, err error) {
	if len(data) > MaxBytes {
		return "", "", refuse(RefusedTooLarge, "the file has %d bytes, more than %d", len(data), MaxBytes)
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return "", "", refuse(RefusedNotText, "the file holds zero bytes: is it a spreadsheet or UTF-16? save it as CSV in UTF-8")
	}
	rest, bom := bytes.CutPrefix(data, []byte("\uFEFF"))
	switch {
	case bom:
		encoding = encodingUTF8BOM
	case mostlyUTF8(rest):
		encoding = encodingUTF8
	default:
		if rest, err = charmap.Windows1252.NewDecoder().Bytes(rest); err != nil {
			return "", "", fmt.Errorf("decode as %s: %w", encodingWindows1252, err)
		}
		encoding = encodingWindows1252
	}
	text = strings.ToValidUTF8(string(rest), "\uFFFD")
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n")
	}
	return text, encoding, nil
}

// mostlyUTF8 says whether the data reads as UTF-8: it is valid, or it has more
// characters beyond ASCII than bytes that fit none. One damaged byte must not
// turn every accent of the file into two wrong letters; in Windows-1252 text an
// accent is hardly ever a valid sequence.
func mostlyUTF8(data []byte) bool {
	good, bad := 0, 0
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			bad++
		case size > 1:
			good++
		}
		data = data[size:]
	}
	return bad == 0 || good > bad
}
