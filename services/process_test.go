package services_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/config"
	"github.com/relais-fr/relais/services/internal/enginetest"
)

// lamp is a service that is ready once it is lit.
type lamp struct {
	host services.Host
	lit  chan struct{}
}

func (*lamp) Name() string { return "lamp" }

func (l *lamp) Run(ctx context.Context) error {
	select {
	case <-l.lit:
		l.host.Ready.Set(true, "lit")
	case <-ctx.Done():
	}
	<-ctx.Done()
	return nil
}

// get is the answer to a GET at the process's door.
func get(t *testing.T, client *http.Client, path string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:8080"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(all)
}

func TestAProcessTellsHowItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kafka, network := enginetest.NewKafka(t), new(kfake.VirtualNetwork)
		_, store := enginetest.NewRedis(t)
		settings := config.Default("127.0.0.1:8080")
		p, err := services.NewProcess(settings, slog.New(slog.DiscardHandler), services.Engines{Brokers: []string{kafka.Addr}, Dial: kafka.Dial, Redis: store})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		l := &lamp{p.Host("lamp"), make(chan struct{})}
		promauto.With(l.host.Metrics).NewGauge(prometheus.GaugeOpts{Name: "relais_lamp_oil_ratio", Help: "How full the lamp is."}).Set(0.5)
		listener, err := network.Listen("tcp", settings.HTTP)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- p.Run(ctx, []services.Door{{Listener: listener, Handler: p.Doors, Label: "http door"}}, l)
		}()

		client := &http.Client{Transport: &http.Transport{DialContext: network.DialContext, DisableKeepAlives: true}}
		for _, trial := range []struct {
			path   string
			status int
			says   string
		}{
			{"/healthz", 200, "ok\n"},
			{"/readyz", 503, "lamp: starting\n"},
			{"/metrics", 200, "\nrelais_lamp_oil_ratio{service=\"lamp\"} 0.5\n"},
			{"/metrics", 200, "\nrelais_build_info{version="},
			{"/", 404, "not found"},
		} {
			if status, body := get(t, client, trial.path); status != trial.status || !strings.Contains(body, trial.says) {
				t.Errorf("%s: %d %s", trial.path, status, body)
			}
		}
		close(l.lit)
		synctest.Wait()
		if status, body := get(t, client, "/readyz"); status != 200 || body != "lamp: lit\n" || !p.Ready() {
			t.Errorf("/readyz once it is ready: %d %s", status, body)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the process ended with %v", err)
		}
	})
}
