package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/relais-fr/relais/schemas"
)

// letter is a request to /v1/events.
type letter struct {
	who     string
	headers []string
	body    []byte
}

// trial is what the trials of bad input share: a hub, a case between cnaf and an
// office, and the Avro of a good referral.
type trial struct {
	t       *testing.T
	h       *hub
	office  string
	subject string
	avro    []byte
}

func newTrial(t *testing.T, office string) *trial {
	t.Helper()
	b := &trial{t: t, h: theHub(t), office: office}
	e, _ := newReferral("cnaf", office)
	b.subject = e.subject()
	b.h.fact(t, "cnaf", e)
	for _, records := range b.h.records(t, "relais.recorded") {
		for _, r := range records {
			if header(r, "ce_id") == e["id"] {
				b.avro = r.Value
			}
		}
	}
	return b
}

// referral is a good one to the trial's office.
func (b *trial) referral() event {
	e, _ := newReferral("cnaf", b.office)
	return e
}

// answer is an acceptance of the trial's case, by whom it is.
func (b *trial) accepted(by string) event {
	return newEvent(by, schemas.TypeReferralAccepted, b.subject, map[string]any{})
}

// structured is a letter with one event in JSON.
func (b *trial) structured(who string, e event) letter {
	return letter{who, []string{"Content-Type", structured}, e.json(b.t)}
}

// text is a letter that says it is an event in JSON.
func text(who, body string) letter {
	return letter{who, []string{"Content-Type", structured}, []byte(body)}
}

// binary is a letter in CloudEvents' binary mode with Avro for data.
func (b *trial) binary(who string, e event, avro []byte, headers ...string) letter {
	l := letter{who, []string{"Content-Type", schemas.AvroContentType}, avro}
	for name, value := range e {
		if name != "data" && name != "datacontenttype" {
			l.headers = append(l.headers, "Ce-"+name, value.(string))
		}
	}
	l.headers = append(l.headers, headers...)
	return l
}

// data is the event with one field of its data changed.
func (e event) field(name string, value any) event {
	data := maps.Clone(e["data"].(map[string]any))
	data[name] = value
	return e.with("data", data)
}

// framed is Avro behind the frame of another's.
func framed(like []byte, avro ...byte) []byte { return append(slices.Clone(like[:5]), avro...) }

// unknownID is a good frame with an id that the registry does not have.
func unknownID(avro []byte) []byte {
	other := slices.Clone(avro)
	binary.BigEndian.PutUint32(other[1:], 1_000_000)
	return other
}

// huge is the length 2^40 as Avro writes it.
var huge = binary.AppendVarint(nil, 1<<40)

func packed(t *testing.T, data []byte) []byte {
	t.Helper()
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return small.Bytes()
}

// schemaID is the registry's id of our schema of a type.
func (h *hub) schemaID(t *testing.T, typ string) (frame []byte) {
	t.Helper()
	response, err := httpClient.Get(h.registry + "/subjects/" + typ + "/versions/latest")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var latest struct{ ID uint32 }
	if err := json.NewDecoder(response.Body).Decode(&latest); err != nil || latest.ID == 0 {
		t.Fatalf("the registry has no %s: %v", typ, err)
	}
	return binary.BigEndian.AppendUint32([]byte{0}, latest.ID)
}

// register registers a schema under a subject of its own and gives the frame of
// its id.
func (h *hub) register(t *testing.T, schema string) (frame []byte) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"schema": schema})
	if err != nil {
		t.Fatal(err)
	}
	response, err := httpClient.Post(h.registry+"/subjects/"+uuid.NewString()+"-value/versions", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	var registered struct{ ID uint32 }
	if err != nil || json.Unmarshal(answer, &registered) != nil || registered.ID == 0 {
		t.Fatalf("the registry answered %s to %.200s (%v)", answer, schema, err)
	}
	return binary.BigEndian.AppendUint32([]byte{0}, registered.ID)
}

// withNothings is our schema of a referral with a further list, of nulls: each
// takes no room, so that a few bytes can ask for any number of them.
func withNothings() string {
	entry, _ := schemas.Lookup(schemas.TypeReferralMade)
	end := strings.LastIndex(entry.Schema, "]")
	return entry.Schema[:end] + `, {"name": "nothings", "type": {"type": "array", "items": "null"}, "default": []}` + entry.Schema[end:]
}

// TestBadInputAtTheHTTPDoor hands in what cannot be taken, one after the other. Each
// gets its code, a sentence and a remedy; and a good event right after is taken.
func TestBadInputAtTheHTTPDoor(t *testing.T) {
	t.Parallel()
	b := newTrial(t, "demo-14")
	h := b.h
	used := b.referral()
	h.fact(t, "cnaf", used)
	made := schemas.TypeReferralMade
	items := h.schemaID(t, schemas.TypeInformationRequested)
	zeros := packed(t, make([]byte, 60<<20))
	if len(zeros) > 1<<20 {
		t.Fatalf("60 MB of zeros take %d bytes", len(zeros))
	}
	for name, trial := range map[string]struct {
		letter
		status int
		code   string
		detail string // part of it
	}{
		"nobody says who it is":             {b.structured("", b.referral()), 401, "not_signed_in", "Authorization"},
		"the token is nobody's":             {b.structured("nobody", b.referral()), 401, "not_signed_in", "token"},
		"an admin hands in":                 {b.structured("admin", b.referral()), 403, "forbidden", "an admin has none"},
		"the content type is unknown":       {letter{"cnaf", []string{"Content-Type", "text/plain"}, []byte("hello")}, 415, "unsupported_media_type", structured},
		"the body is empty":                 {text("cnaf", ""), 400, "malformed", ""},
		"the body is no JSON":               {text("cnaf", "hello"), 400, "malformed", "JSON"},
		"the JSON ends early":               {text("cnaf", `{"specversion":"1.0","id":"x"`), 400, "malformed", "JSON"},
		"the body is a list":                {text("cnaf", "[]"), 400, "malformed", "JSON"},
		"the body is not UTF-8":             {text("cnaf", "{\"id\":\"a\xff\"}"), 400, "malformed", "UTF-8"},
		"half a surrogate pair":             {text("cnaf", `{"id":"\ud800"}`), 400, "malformed", ""},
		"a member stands twice":             {text("cnaf", `{"specversion":"1.0","id":"a","id":"b","source":"/participants/cnaf/x","type":"`+made+`"}`), 400, "malformed", "id"},
		"the id is missing":                 {b.structured("cnaf", b.referral().with("id", nil)), 400, "malformed", "id"},
		"the id is no id":                   {b.structured("cnaf", b.referral().with("id", "a b")), 400, "malformed", "id"},
		"the type is missing":               {b.structured("cnaf", b.referral().with("type", nil)), 400, "malformed", "type"},
		"the type is unknown":               {b.structured("cnaf", b.referral().with("type", "fr.relais.referral.v1.ReferralEaten")), 422, "unknown_schema", "type"},
		"the source is no source":           {b.structured("cnaf", b.referral().with("source", "https://example.org")), 400, "malformed", "source"},
		"the subject is no case id":         {b.structured("cnaf", b.referral().with("subject", "somewhere")), 400, "malformed", "subject"},
		"the time is long ago":              {b.structured("cnaf", b.referral().with("time", "1999-12-31T23:59:59Z")), 400, "malformed", "time"},
		"the time is next week":             {b.structured("cnaf", b.referral().with("time", time.Now().Add(7*24*time.Hour).UTC().Format(time.RFC3339))), 400, "malformed", "time"},
		"a header stands twice":             {b.binary("cnaf", b.referral(), b.avro, "Ce-Id", "other"), 400, "malformed", "id"},
		"a header's escape is broken":       {b.binary("cnaf", b.referral(), b.avro, "Ce-Priority", "%ZZ"), 400, "malformed", "Ce-Priority"},
		"a header is not UTF-8":             {b.binary("cnaf", b.referral(), b.avro, "Ce-Priority", "%FF"), 400, "malformed", "UTF-8"},
		"the schema id is unknown":          {b.binary("cnaf", b.referral(), unknownID(b.avro)), 422, "unknown_schema", "1000000"},
		"the schema is another event's":     {b.binary("cnaf", b.referral(), framed(items, 0)), 400, "malformed", "InformationRequested"},
		"the schema is of no event":         {b.binary("cnaf", b.referral(), framed(h.register(t, `{"type":"record","name":"Bread","fields":[]}`))), 400, "malformed", "Bread"},
		"ours cannot read the schema":       {b.binary("cnaf", b.referral(), framed(h.register(t, `{"type":"record","name":"`+made+`","fields":[]}`))), 422, "unknown_schema", ""},
		"the Avro is not framed":            {b.binary("cnaf", b.referral(), b.avro[5:]), 400, "malformed", "framing"},
		"the Avro is truncated":             {b.binary("cnaf", b.referral(), b.avro[:len(b.avro)-1]), 400, "malformed", ""},
		"the Avro is only a frame":          {b.binary("cnaf", b.referral(), b.avro[:5]), 400, "malformed", ""},
		"bytes follow the Avro":             {b.binary("cnaf", b.referral(), append(slices.Clone(b.avro), 0)), 400, "malformed", ""},
		"a string of a terabyte":            {b.binary("cnaf", b.referral(), framed(b.avro, huge...)), 400, "malformed", ""},
		"a string of negative length":       {b.binary("cnaf", b.referral(), framed(b.avro, 1)), 400, "malformed", ""},
		"a number without an end":           {b.binary("cnaf", b.referral(), framed(b.avro, bytes.Repeat([]byte{0xff}, 20)...)), 400, "malformed", ""},
		"a list of 2^40 items":              {b.binary(b.office, newEvent(b.office, schemas.TypeInformationRequested, b.subject, nil), framed(items, huge...)), 400, "malformed", ""},
		"a list of 2^40 nothings":           {b.binary("cnaf", b.referral(), append(framed(h.register(t, withNothings()), b.avro[5:]...), huge...)), 400, "malformed", ""},
		"JSON nested 1000 deep":             {b.structured("cnaf", b.referral().field("theme", json.RawMessage(strings.Repeat("[", 1000)+strings.Repeat("]", 1000)))), 400, "malformed", ""},
		"JSON nested 100,000 deep":          {text("cnaf", `{"data":`+strings.Repeat("[", 100_000)), 400, "malformed", ""},
		"a number is a word":                {b.structured(b.office, b.accepted(b.office).field("planned_delay_days", "ten")), 400, "malformed", "planned_delay_days"},
		"a number has a fraction":           {b.structured(b.office, b.accepted(b.office).field("planned_delay_days", 1.5)), 400, "malformed", "planned_delay_days"},
		"a string is an object":             {b.structured("cnaf", b.referral().field("service", map[string]any{})), 400, "malformed", "service"},
		"the data is a list":                {b.structured("cnaf", b.referral().with("data", []string{})), 400, "malformed", ""},
		"a field is missing":                {b.structured("cnaf", b.referral().field("service", nil)), 400, "malformed", "service"},
		"a field is unknown":                {b.structured("cnaf", b.referral().field("colour", "blue")), 400, "malformed", "colour"},
		"a code is not in its table":        {b.structured("cnaf", b.referral().field("urgency", "yesterday")), 400, "malformed", "urgency"},
		"an address is the id":              {b.structured("cnaf", b.referral().with("id", "jeanne.martin@example.org")), 400, "malformed", "id"},
		"a telephone number is the case":    {b.structured("cnaf", b.referral().with("subject", "cnaf.0612345678")), 422, "personal_data_in_clear", "subject"},
		"the recipient is unknown":          {b.structured("cnaf", b.referral().field("to", "caf-99")), 422, "unknown_participant", "to"},
		"the office is unknown":             {b.structured("cnaf", b.referral().field("to", "fs-999999")), 422, "unknown_participant", "to"},
		"the service is unknown":            {b.structured("cnaf", b.referral().field("service", "bread/baking")), 422, "unknown_service", "service"},
		"the service is another's":          {b.structured(b.office, officeReferral(b.office, "laposte")), 422, "unknown_service", "service"},
		"the source is another's":           {b.structured("cnaf", b.referral().with("source", "/participants/msa/x")), 403, "not_your_participant", "source"},
		"the sender in the data is another": {b.structured("cnaf", b.referral().field("from", "msa")), 403, "not_your_participant", "from"},
		"the event is the hub's":            {b.structured("cnaf", newEvent("cnaf", schemas.TypeReferralExpired, b.subject, map[string]any{})), 403, "not_your_participant", "type"},
		"history from no feeder":            {b.structured("cnaf", b.referral().with("history", true)), 403, "not_your_participant", "history"},
		"the partition key disagrees":       {b.structured("cnaf", b.referral().with("partitionkey", uuid.NewString())), 400, "malformed", "partitionkey"},
		"a case in another's name":          {b.structured("cnaf", b.referral().with("subject", "msa.1")), 403, "not_your_participant", "subject"},
		"a case in another's dossier":       {b.structured("msa", newEvent("msa", made, b.subject+"~mine", map[string]any{"from": "msa", "to": b.office, "service": service, "reference": "7K3F-92QD"})), 403, "not_a_party", ""},
		"a case that exists is guessed":     {b.structured("msa", b.accepted("msa")), 403, "not_a_party", ""},
		"a case that does not is guessed":   {b.structured("msa", b.accepted("msa").with("subject", uuid.NewString())), 403, "not_a_party", ""},
		"the case is opened again":          {b.structured("cnaf", b.referral().with("subject", b.subject)), 409, "transition_not_allowed", ""},
		"the state does not allow it":       {b.structured(b.office, b.accepted(b.office)), 409, "transition_not_allowed", "made"},
		"the role does not allow it":        {b.structured("cnaf", newEvent("cnaf", schemas.TypeReferralReceived, b.subject, map[string]any{})), 409, "transition_not_allowed", ""},
		"the id has other content":          {b.structured("cnaf", b.referral().with("id", used["id"]).with("subject", used.subject())), 409, "duplicate_id_other_content", ""},
		"the body has 10 MB":                {b.structured("cnaf", b.referral().field("reason", strings.Repeat("a", 10<<20))), 413, "too_large", "body"},
		"60 MB come as less than one":       {letter{"cnaf", []string{"Content-Type", structured, "Content-Encoding", "gzip"}, zeros}, 413, "too_large", "body"},
		"gzip is announced and does not":    {letter{"cnaf", []string{"Content-Type", structured, "Content-Encoding", "gzip"}, []byte("{}")}, 400, "malformed", "gzip"},
		"the packing is unknown":            {letter{"cnaf", []string{"Content-Type", structured, "Content-Encoding", "br"}, []byte("{}")}, 415, "unsupported_media_type", "gzip"},
		"the data has 300 kB":               {b.structured("cnaf", b.referral().field("sealed", base64.StdEncoding.EncodeToString(make([]byte, 300<<10)))), 413, "too_large", ""},
		"a sealed field of 100 kB":          {b.structured("cnaf", b.referral().field("sealed", base64.StdEncoding.EncodeToString(make([]byte, 100<<10)))), 400, "malformed", "sealed"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := h.call(t.Context(), http.MethodPost, "/v1/events", trial.who, bytes.NewReader(trial.body), append(trial.headers, "Prefer", "wait=10")...)
			if err != nil {
				t.Fatal(err)
			}
			got := a.told()
			if a.status != trial.status || got.Code != trial.code || !strings.Contains(got.Detail, trial.detail) {
				t.Errorf("the answer is %d %s %q, want %d %s with %q", a.status, got.Code, got.Detail, trial.status, trial.code, trial.detail)
			}
			if kind := a.header.Get("Content-Type"); kind != "application/problem+json" {
				t.Errorf("the answer is %s", kind)
			}
			for _, sentence := range []string{got.Title, got.Remedy, got.TitleFR, got.RemedyFR} {
				if !strings.HasSuffix(sentence, ".") || len(sentence) < 10 {
					t.Errorf("%q is no sentence", sentence)
				}
			}
			h.fact(t, "cnaf", b.referral())
		})
	}
	got := slices.DeleteFunc(h.typesNow(t, "cnaf", b.subject), func(typ string) bool { return typ == "SubmissionRefused" })
	if !cmp.Equal(got, []string{"ReferralMade"}) {
		t.Errorf("the operator got %v of the case that was tried", got)
	}
}

// officeReferral is a referral of an office for cnaf's service.
func officeReferral(office, to string) event {
	e, _ := newReferral(office, to)
	return e
}

// TestProbingTellsNothing compares what a stranger is told of a case that exists
// and of one that does not.
func TestProbingTellsNothing(t *testing.T) {
	t.Parallel()
	b := newTrial(t, "demo-15")
	var answers []told
	for _, subject := range []string{b.subject, uuid.NewString()} {
		got := b.h.hand(t, "msa", b.accepted("msa").with("subject", subject)).told()
		got.Place, got.Location = "", ""
		answers = append(answers, got)
	}
	if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
		t.Errorf("the answers differ (-there +not there):\n%s", diff)
	}
	for _, path := range []string{"/offices/demo-16/cases/" + b.subject, "/offices/demo-16/cases/" + uuid.NewString()} {
		a, err := b.h.call(t.Context(), http.MethodGet, path, "", nil)
		if err != nil || a.status != http.StatusNotFound {
			t.Errorf("%s is answered with %d (%v)", path, a.status, err)
		}
	}
}

// TestAttributesOfTheHubAreDropped sends stamps that only the hub may set.
func TestAttributesOfTheHubAreDropped(t *testing.T) {
	t.Parallel()
	b := newTrial(t, "demo-17")
	forged := map[string]string{
		"sequence": "0000000099", "parties": "msa,cnam", "recipient": "msa", "submittedpartition": "77", "submittedoffset": "777777",
		"receivedtime": "2001-01-01T00:00:00.000Z", "rules": "99", "senderrole": "hub", "recipientrole": "hub", "submitter": "msa",
		"territory": "99", "verdict": "malformed", "verdictdetail": "x", "door": "from.msa/0/1",
	}
	e := b.referral()
	for name, value := range forged {
		e[name] = value
	}
	got := b.h.fact(t, "cnaf", e)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(forged)), got.Ignored); diff != "" {
		t.Errorf("what was ignored is told otherwise (-sent +told):\n%s", diff)
	}
	if got.Sequence != "0000000001" {
		t.Errorf("the sequence is %s", got.Sequence)
	}
	for _, topic := range []string{"relais.submitted", "relais.recorded"} {
		for _, records := range b.h.records(t, topic) {
			for _, r := range records {
				for name, value := range forged {
					if header(r, "ce_id") == e["id"] && header(r, "ce_"+name) == value {
						t.Errorf("%s has the sender's %s", topic, name)
					}
				}
			}
		}
	}
	if got := b.h.typesNow(t, "msa", e.subject()); len(got) > 0 {
		t.Errorf("msa got %v", got)
	}
}

// TestOneBadEventAmongOthers hands in a batch and a stream with bad ones in the
// middle.
func TestOneBadEventAmongOthers(t *testing.T) {
	t.Parallel()
	b := newTrial(t, "demo-18")
	first, bad, last := b.referral(), b.referral().field("colour", "blue"), b.referral()
	want := []string{"fact", "malformed", "fact"}
	t.Run("in a batch", func(t *testing.T) {
		batch := []byte("[" + string(first.json(t)) + "," + string(bad.json(t)) + "," + string(last.json(t)) + "]")
		a, err := b.h.call(t.Context(), http.MethodPost, "/v1/events", "cnaf", bytes.NewReader(batch),
			"Content-Type", "application/cloudevents-batch+json", "Prefer", "wait=10")
		var answers []itemAnswer
		if err != nil || json.Unmarshal(a.body, &answers) != nil {
			t.Fatalf("%d %s (%v)", a.status, a.body, err)
		}
		if diff := cmp.Diff(want, outcomesOf(answers)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("in a stream", func(t *testing.T) {
		lines := bytes.Join([][]byte{
			b.referral().json(t), bad.json(t), b.referral().json(t),
			[]byte("not JSON"), []byte(`{"id":"` + strings.Repeat("a", 2<<20) + `"}`), b.referral().json(t),
		}, []byte("\n"))
		a, err := b.h.call(t.Context(), http.MethodPost, "/v1/events", "cnaf", bytes.NewReader(lines),
			"Content-Type", "application/x-ndjson", "Prefer", "wait=10")
		if err != nil {
			t.Fatal(err)
		}
		var answers []itemAnswer
		for line := range bytes.Lines(a.body) {
			var answer itemAnswer
			if err := json.Unmarshal(line, &answer); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			answers = append(answers, answer)
		}
		if diff := cmp.Diff(append(slices.Clone(want), "malformed", "too_large", "fact"), outcomesOf(answers)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// itemAnswer is the answer to one of several events.
type itemAnswer struct {
	Outcome string
	Problem *told
}

func outcomesOf(answers []itemAnswer) (list []string) {
	for _, a := range answers {
		if a.Problem != nil {
			list = append(list, a.Problem.Code)
		} else {
			list = append(list, a.Outcome)
		}
	}
	return list
}
