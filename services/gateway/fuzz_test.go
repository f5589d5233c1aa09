package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/registry"
	"github.com/relais-fr/relais/services/internal/uses"
)

// testJudge is a judge without a broker.
func testJudge(t testing.TB) (*judge, auth.Principal) {
	t.Helper()
	view := testView(t)
	office, _ := view.Participant("fs-1")
	source := registry.New("http://registry.invalid", &http.Client{Transport: &schemaRegistry{}})
	return &judge{
		directory: view, codec: schemas.NewCodec(source), schemaURL: "http://registry.invalid/schemas/ids/",
		log: slog.New(slog.DiscardHandler), uses: uses.New(),
	}, auth.Of(office)
}

// hold judges an event that was read and holds the ruling against what the ledger
// and the log rely on.
func hold(t *testing.T, j *judge, c claim, err error) {
	t.Helper()
	var refusal *schemas.Refusal
	var h *hearing
	var r ruling
	if err == nil {
		if r, h, err = j.judge(t.Context(), c); err == nil {
			checkSubmission(t, j, r.event)
			return
		}
	} else if h, _ = j.unheard(t.Context(), claim{event: c.event, by: c.by, channel: c.channel}); !errors.As(err, &refusal) {
		t.Fatalf("reading: %v is no refusal", err)
	}
	if !errors.As(err, &refusal) {
		t.Fatalf("judging: %v is no refusal", err)
	}
	if refusal.Reason == schemas.ReasonHubError {
		t.Fatal("the judge panicked")
	}
	if refusal.Reason.Code().Name == "" || refusal.Detail == "" || len(refusal.Detail) > schemas.MaxSentenceBytes {
		t.Fatalf("the refusal is %q: %q", refusal.Reason, refusal.Detail)
	}
	if e, ok := h.refused(refusal); ok {
		checkSubmission(t, j, e)
	}
}

// checkSubmission holds an event against what the ledger stops at.
func checkSubmission(t *testing.T, j *judge, e schemas.Event) {
	t.Helper()
	back, err := schemas.FromRecord(schemas.Headers(e), e.Data)
	if err != nil {
		t.Fatalf("the submission cannot be read: %v\n%+v", err, e)
	}
	if back.Extensions[schemas.AttrPartitionKey] != schemas.Dossier(e.Subject) || back.Extensions[schemas.AttrRules] != "1" || back.Extensions[schemas.AttrSubmitter] != "fs-1" {
		t.Fatalf("stamps: %v", back.Extensions)
	}
	if _, err := schemas.ParseCaseID(e.Subject); err != nil {
		t.Fatalf("subject %q: %v", e.Subject, err)
	}
	if back.Extensions[schemas.AttrVerdict] != "" {
		return
	}
	payload, err := j.codec.Decode(context.Background(), e.Type, e.Data)
	if err != nil {
		t.Fatalf("data: %v", err)
	}
	if err := schemas.Validate(payload); err != nil {
		t.Fatalf("data: %v", err)
	}
}

func FuzzBinaryHTTP(f *testing.F) {
	f.Add("ev-1", "/participants/fs-1/page", schemas.TypeReferralMade, caseA, "correlationid", "x", "application/json", []byte(referral().data))
	f.Add("ev-1", "", schemas.TypeReferralMade, "", "partitionkey", "%41", "application/json; charset=utf-8", []byte(referral().data))
	f.Add("", "\xff", "x", "fs-1.~", "Id", `"a\"b"`, "application/vnd.confluent.avro", []byte{0, 0, 0, 0, 1, 2})
	f.Add("1", "/participants/cnaf/x", schemas.TypeVisitVoided, "cnaf.1", "history", "true", "application/cloudevents+json", []byte("{}"))
	j, by := testJudge(f)
	f.Fuzz(func(t *testing.T, id, source, typ, subject, name, value, contentType string, body []byte) {
		header := http.Header{"Content-Type": {contentType}, "Ce-Specversion": {"1.0"}, "Traceparent": {value}}
		for k, v := range map[string]string{"Ce-Id": id, "Ce-Source": source, "Ce-Type": typ, "Ce-Subject": subject, http.CanonicalHeaderKey("ce-" + name): value} {
			header.Add(k, v)
		}
		e, err := binaryEvent(header, body, by)
		hold(t, j, claim{event: e, by: by, channel: channelHTTP}, err)
	})
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(caseA), "content-type", []byte(schemas.StructuredContentType), "ce_id", []byte("x"), []byte(referral().structured()))
	f.Add([]byte(nil), "CE_TYPE", []byte(schemas.TypeReferralStarted), "ce_id", []byte("ev\xff"), []byte("{}"))
	f.Add([]byte("k"), "", []byte(nil), "ce_time", []byte("0000-01-01T00:00:00Z"), []byte(nil))
	j, by := testJudge(f)
	g := &Gateway{judge: j, quarantine: "quarantine", submitted: "submitted", partitions: testPartitions, metrics: newMetrics(nil)}
	f.Fuzz(func(t *testing.T, key []byte, nameA string, valueA []byte, nameB string, valueB, value []byte) {
		rec := broker.Record{Topic: "relais.from.fs-1", Key: key, Headers: []schemas.Header{{Key: nameA, Value: valueA}, {Key: nameB, Value: valueB}}, Value: value}
		e, err := recordEvent(rec.Headers, rec.Value, by, channelKafka)
		hold(t, j, claim{event: e, by: by, channel: channelKafka, key: key}, err)
		h, err := g.ruleOnce(t.Context(), by, &rec)
		if err != nil {
			t.Fatal(err)
		}
		if !h.quarantined {
			return
		}
		kept := g.quarantineRecord(by, &rec, h.verdict, h.cut)
		q, ok := readQuarantined(&kept)
		if !ok {
			t.Fatal("the quarantined record cannot be read")
		}
		origin, ok := originOf(&kept, q)
		if !q.Cut && (!ok || !bytes.Equal(origin.Value, value) || len(origin.Headers) != len(rec.Headers)) {
			t.Fatal("the quarantined record is not what came")
		}
	})
}

func FuzzStructured(f *testing.F) {
	f.Add([]byte(referral().structured()))
	f.Add([]byte(visit(attr("source", "")).structured()))
	f.Add([]byte(answered(attr("history", "true")).structured()))
	f.Add([]byte(`{"specversion":"1.0","id":"1","type":"x","data":{"a":[[[[]]]]},"data_base64":"AA=="}`))
	f.Add([]byte(` {}`))
	f.Add([]byte("{\"id\":\"\\ud800\",\"id\":null}"))
	j, by := testJudge(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := structuredEvent(text, by, channelHTTP)
		hold(t, j, claim{event: e, by: by, channel: channelHTTP}, err)
	})
}

func FuzzBatch(f *testing.F) {
	f.Add([]byte("[" + referral().structured() + "," + visit().structured() + "]"))
	f.Add([]byte("[]"))
	f.Add([]byte("[{},7,[]]"))
	f.Add([]byte("[" + strings.Repeat("[", 100)))
	j, by := testJudge(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		items, err := schemas.SplitBatch(text, 50)
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q is taken for a batch", text)
		}
		for _, item := range items {
			e, err := structuredEvent(item, by, channelHTTP)
			hold(t, j, claim{event: e, by: by, channel: channelHTTP}, err)
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\n\nc"), 16)
	f.Add([]byte(strings.Repeat("x", 100)+"\ny\n"), 16)
	f.Add([]byte("\r\n\n"), 20)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		body := bufio.NewReaderSize(bytes.NewReader(text), min(max(size, 16), 1<<16))
		var lines [][]byte
		for {
			line, err := readLine(body, nil)
			if len(line) > 0 {
				lines = append(lines, bytes.TrimSuffix(line, []byte("\n")))
			} else if err == nil {
				t.Fatal("a line of nothing, not even its end")
			}
			if err != nil && !errors.Is(err, errLineTooLong) {
				break
			}
		}
		if len(text) <= maxLine && !bytes.Equal(bytes.Join(lines, []byte("\n")), bytes.TrimSuffix(text, []byte("\n"))) {
			t.Fatalf("%q was read as %q", text, lines)
		}
	})
}

func FuzzPrefer(f *testing.F) {
	f.Add("wait=10, respond-async")
	f.Add(`WAIT = "61"`)
	f.Add("wait=-1,wait")
	f.Fuzz(func(t *testing.T, prefer string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/events", http.NoBody)
		r.Header["Prefer"] = []string{prefer}
		if wait := preferredWait(r.Header); wait < 0 || wait > maxWait {
			t.Fatalf("%q: %s", prefer, wait)
		}
	})
}
