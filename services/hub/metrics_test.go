package hub

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	dir "github.com/relais-fr/relais/services/internal/directory"
)

// claimed are the metrics of the contract, and which services have them to tell
// after a small story. Those of circuits and of retries belong to services that are
// yet to come.
var claimed = map[string][]string{
	"relais_events_ingested_total":               {"gateway"},
	"relais_events_rejected_total":               {"gateway"},
	"relais_last_event_timestamp_seconds":        {"gateway"},
	"relais_quota_used_ratio":                    {"gateway"},
	"relais_oldest_pending_seconds":              {"gateway", "router"},
	"relais_dlq_depth":                           {"gateway", "router"},
	"relais_dlq_oldest_seconds":                  {"gateway", "router"},
	"relais_stage_duration_seconds":              {"gateway", "ledger"},
	"relais_outcomes_total":                      {"ledger"},
	"relais_ledger_halted":                       {"ledger"},
	"relais_ledger_panics_total":                 {"ledger"},
	"relais_event_end_to_end_seconds":            {"inbox", "router"},
	"relais_dedupe_hits_total":                   {"clock", "courier", "inbox", "ledger", "router"},
	"relais_delivery_attempts_total":             {"courier", "router"},
	"relais_sse_clients":                         {"inbox"},
	"relais_sse_resume_gap_total":                {"inbox"},
	"relais_probe_roundtrip_seconds":             {"clock"},
	"relais_probes_lost_total":                   {"clock"},
	"relais_timers_pending":                      {"clock"},
	"relais_deadline_lateness_seconds":           {"clock"},
	"relais_delivery_reports_total":              {"clock"},
	"relais_registry_requests_total":             {"registry"},
	"relais_registry_schemas":                    {"registry"},
	"relais_directory_offices":                   {"directory"},
	"relais_credential_expiry_timestamp_seconds": {"directory"},
	"relais_statement_failures_total":            {"observatory"},
}

// groups are the consumer groups: named after the installation, so that two on one
// cluster are strangers.
var groups = []string{"relais.clock", "relais.clock-reports", "relais.gateway", "relais.inbox", "relais.ledger", "relais.router"}

// loneGroup is the group that only says which observatory issues statements: nothing is
// behind in it.
const loneGroup = "relais.observatory"

const (
	storyEvent     = "evt-of-the-story"
	storyCase      = aliased + "1"
	storyReference = "7K3F-92QD"
)

// neighbours use a hub whose services answer at some addresses.
type neighbours struct {
	t      *testing.T
	client *http.Client
	broker *broker.Broker
	at     func(service string) string
}

func (n *neighbours) call(method, service, path, who, contentType string, body []byte) (int, []byte) {
	n.t.Helper()
	request, err := http.NewRequestWithContext(n.t.Context(), method, "http://"+n.at(service)+path, bytes.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer dev-"+who)
	request.Header.Set("Content-Type", contentType)
	response, err := n.client.Do(request)
	if err != nil {
		n.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return response.StatusCode, answer
}

// storyEventOf is an event of a participant about the story's case.
func storyEventOf(who, id, typ, data string) []byte {
	return []byte(`{"specversion":"1.0","id":"` + id + `","source":"` + schemas.Source(who, "story") + `","subject":"` + storyCase +
		`","type":"` + typ + `","datacontenttype":"application/json","data":` + data + `}`)
}

// live makes facts, a repeat, refusals at either door and a record for the
// quarantine, and reads what came of them.
func (n *neighbours) live() {
	made := storyEventOf("cnaf", storyEvent, schemas.TypeReferralMade,
		`{"from":"cnaf","to":"demo-1","service":"social-famille/demande-ou-actualisation-du-rsa","reference":"`+storyReference+`"}`)
	for _, trial := range []struct {
		who    string
		body   []byte
		status int
	}{
		{"cnaf", made, http.StatusAccepted},
		{"cnaf", made, http.StatusAccepted},
		{"demo-1", storyEventOf("demo-1", "evt-b", schemas.TypeReferralReceived, `{}`), http.StatusAccepted},
		{"demo-1", storyEventOf("demo-1", "evt-c", "fr.relais.demo-1", `{}`), http.StatusUnprocessableEntity},
	} {
		if status, answer := n.call(http.MethodPost, "gateway", "/v1/events", trial.who, schemas.StructuredContentType, trial.body); status != trial.status {
			n.t.Errorf("%s: %d %s", trial.body, status, answer)
		}
	}
	if status, answer := n.call(http.MethodPost, "directory", "/v1/participants", "admin", "application/json", []byte(`{"id":"ants"}`)); status != http.StatusCreated {
		n.t.Errorf("ants is not let in: %d %s", status, answer)
	}
	structured := []schemas.Header{{Key: "content-type", Value: []byte(schemas.StructuredContentType)}}
	for _, rec := range []broker.Record{
		{Value: []byte("no headers")},
		{Value: storyEventOf("cnaf", "evt-d", schemas.TypeReferralMade, `{"from":"demo-1"}`), Headers: structured},
	} {
		rec.Topic, rec.Key = "relais.from.cnaf", []byte(storyCase)
		if _, err := n.broker.Produce(n.t.Context(), rec); err != nil {
			n.t.Fatal(err)
		}
	}
	time.Sleep(12 * time.Second)
	for _, who := range []string{"cnaf", "demo-1"} {
		if status, answer := n.call(http.MethodGet, "courier", "/v1/mailbox", who, "", nil); status != http.StatusOK || !bytes.Contains(answer, []byte(storyCase)) {
			n.t.Errorf("the mailbox of %s: %d %s", who, status, answer)
		}
	}
	if status, answer := n.call(http.MethodGet, "inbox", "/offices/demo-1", "", "", nil); status != http.StatusOK || !bytes.Contains(answer, []byte(storyReference)) {
		n.t.Errorf("the page of demo-1: %d %s", status, answer)
	}
}

// metrics are the families of a service's /metrics, by name. They pass the linter
// of Prometheus, and have no other names than those of the project and of Go.
func (n *neighbours) metrics(service string) map[string]*dto.MetricFamily {
	n.t.Helper()
	status, text := n.call(http.MethodGet, service, "/metrics", "", "", nil)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if status != http.StatusOK || err != nil {
		n.t.Fatalf("%s: %d, %v", service, status, err)
	}
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if len(problems) > 0 || err != nil {
		n.t.Errorf("%s: %v, %v", service, problems, err)
	}
	for name := range families {
		if !regexp.MustCompile(`^(relais|go|process|promhttp)_`).MatchString(name) {
			n.t.Errorf("%s has a metric %s", service, name)
		}
		if !strings.HasPrefix(name, "relais_") {
			delete(families, name)
		}
	}
	return families
}

// values are the different values of a label.
func values(family *dto.MetricFamily, label string) []string {
	found := map[string]bool{}
	for _, m := range family.GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == label {
				found[l.GetValue()] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// participants are those that have topics, by the directory as it stands on its
// topic.
func (n *neighbours) participants() []string {
	view := dir.NewView()
	ctx, stop := context.WithCancel(n.t.Context())
	done := make(chan error, 1)
	go func() { done <- view.Run(ctx, n.broker, slog.New(slog.DiscardHandler)) }()
	<-view.Ready()
	stop()
	if err := <-done; err != nil {
		n.t.Error(err)
	}
	var all []string
	for _, p := range view.Snapshot().Participants() {
		if p.HasTopics() {
			all = append(all, p.ID)
		}
	}
	return append(all, schemas.OfficesParticipant, schemas.HubParticipant)
}

// closedSets are what each label may say. No person, no event and no office is
// among it.
func closedSets(participants []string) map[string]func(string) bool {
	of := func(all ...string) func(string) bool {
		return func(s string) bool { return slices.Contains(all, s) }
	}
	like := func(pattern string) func(string) bool { return regexp.MustCompile(`^(` + pattern + `)$`).MatchString }
	types := []string{"unknown"}
	for _, e := range schemas.Catalogue() {
		types = append(types, e.Name)
	}
	reasons := []string{"", schemas.DeliveryTopicGone, schemas.DeliveryRefused, schemas.DeliveryNotCollected, schemas.DeliveryDeleted, schemas.DeliveryClosed}
	for _, r := range schemas.RefusalReasons() {
		reasons = append(reasons, r.Name)
	}
	var clocks []string
	table, _ := schemas.CodeTable(schemas.TableClock)
	for _, c := range table {
		clocks = append(clocks, c.Name)
	}
	settings := config.DefaultHub()
	topics := []string{"_schemas"}
	for _, topic := range services.HubTopics(settings) {
		topics = append(topics, topic.Name)
	}
	for _, p := range participants {
		for _, topic := range services.ParticipantTopics(settings, p) {
			topics = append(topics, topic.Name)
		}
	}
	number, word := like(`[0-9]+`), like(`[a-z_]+`)
	return map[string]func(string) bool{
		"service":    of("gateway", "ledger", "router", "inbox", "courier", "clock", "registry", "directory", "observatory"),
		"operator":   of(append(participants, "unknown")...),
		"recipient":  of(participants...),
		"event_type": of(types...), "reason": of(reasons...), "topic": of(topics...), "group": of(append(slices.Clone(groups), loneGroup)...),
		"channel": of("http", "kafka", "mailbox", "page", "stream"), "stage": of("form", "append", "judge", "routed", "page"),
		"door": of("http", "registry"), "queue": of("submitted", "to", "held"), "owner": of("ledger", "inbox", "clock"), "operation": word, "outcome": word, "result": word,
		"partition": number, "code": number, "code_class": like(`[2-5]xx|`), "call": like(`[A-Z]+ [a-z0-9/{}$]+`),
		"version": like(`.+`), "clock": of(clocks...),
		"participant": of(participants...), "kind": of(dir.CredentialAPIKey, dir.CredentialOAuth, dir.CredentialSCRAM, dir.CredentialCertificate),
	}
}

func (n *neighbours) checkLabels(families map[string]*dto.MetricFamily) {
	n.t.Helper()
	allowed := closedSets(n.participants())
	secret := regexp.MustCompile(`demo-|fs-|evt-|` + storyCase + `|` + storyReference)
	for name, family := range families {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				in := allowed[l.GetName()]
				if in == nil || !in(l.GetValue()) || secret.MatchString(l.GetValue()) {
					n.t.Errorf("%s: %s=%q is of no closed set", name, l.GetName(), l.GetValue())
				}
			}
		}
	}
}

func TestTheMetricsOfAWholeHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		town := newTown(t)
		defer func() { town.stop() }()
		n := &neighbours{t: t, client: town.client, broker: town.broker, at: func(string) string { return "127.0.0.1:8080" }}
		n.live()
		families := n.metrics("hub")
		for name, by := range claimed {
			if diff := cmp.Diff(by, values(families[name], "service")); diff != "" {
				t.Errorf("%s is told by (-want +got):\n%s", name, diff)
			}
		}
		for _, name := range []string{"relais_consumer_lag_events", "relais_consumer_lag_seconds"} {
			if diff := cmp.Diff(groups, values(families[name], "group")); diff != "" {
				t.Errorf("%s of (-want +got):\n%s", name, diff)
			}
		}
		n.checkLabels(families)
		for name, want := range map[string]float64{
			`relais_events_ingested_total operator=cnaf`:       2,
			`relais_events_ingested_total operator=offices`:    1,
			`relais_events_rejected_total operator=cnaf`:       2,
			`relais_events_rejected_total operator=offices`:    1,
			`relais_outcomes_total outcome=fact`:               2,
			`relais_outcomes_total outcome=repeat`:             1,
			`relais_outcomes_total outcome=refusal`:            1,
			`relais_dlq_depth reason=malformed`:                1,
			`relais_oldest_pending_seconds queue=submitted`:    0,
			`relais_consumer_lag_events group=relais.gateway`:  0,
			`relais_consumer_lag_seconds group=relais.gateway`: 0,
			`relais_event_end_to_end_seconds stage=routed`:     5,
			`relais_event_end_to_end_seconds stage=page`:       2,
			`relais_delivery_attempts_total outcome=delivered`: 10, // routed, and read in mailboxes
		} {
			metric, label, _ := strings.Cut(name, " ")
			if got := sum(families[metric], label); got != want {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	})
}

// sum adds up the series that have the label, `name=value`; of histograms the
// counts.
func sum(family *dto.MetricFamily, label string) (total float64) {
	for _, m := range family.GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName()+"="+l.GetValue() == label {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return total
}
