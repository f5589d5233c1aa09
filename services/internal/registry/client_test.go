package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relais-fr/relais/schemas"
)

// server answers requests in memory.
type server func(*http.Request) (status int, body string, err error)

func (s server) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	status, body, err := s(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func newClient(s server) *Client {
	return New("http://user:secret@registry.test:8081/", &http.Client{Transport: s})
}

func TestSchemaIsAskedOnce(t *testing.T) {
	asked := 0
	c := newClient(func(r *http.Request) (int, string, error) {
		asked++
		if r.Method != http.MethodGet || r.URL.Path != "/schemas/ids/7" {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		return 200, `{"schema":"\"int\"","unknown":1}`, nil
	})
	for range 3 {
		if got, err := c.Schema(t.Context(), 7); err != nil || got != `"int"` {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestIDRegistersOurSchema(t *testing.T) {
	entry, _ := schemas.Lookup(schemas.TypeVisitVoided)
	var bodies []string
	c := newClient(func(r *http.Request) (int, string, error) {
		body, err := io.ReadAll(r.Body)
		bodies = append(bodies, string(body))
		if r.Method != http.MethodPost || r.URL.EscapedPath() != "/subjects/fr.relais.visit.v1.VisitVoided/versions" {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		return 200, `{"id":12,"version":1}`, err
	})
	for range 2 {
		if got, err := c.ID(t.Context(), entry.Type); err != nil || got != 12 {
			t.Errorf("got %d, %v", got, err)
		}
	}
	if len(bodies) != 1 || !strings.Contains(bodies[0], `\"VisitVoided\"`) || strings.Contains(bodies[0], "schemaType") {
		t.Errorf("sent %q", bodies)
	}
	if _, err := c.ID(t.Context(), "fr.relais.visit.v1.VisitImagined"); err == nil {
		t.Error("an event that is not ours got an id")
	}
}

// Only the registry's own word makes a schema unknown; everything else is "try
// again", for an operator's event must not be refused because a proxy is wrong.
func TestSchemaTellsUnknownFromSilence(t *testing.T) {
	tests := map[string]struct {
		status  int
		body    string
		err     error
		unknown bool
		asked   int
	}{
		"the registry has no such id":     {404, `{"error_code":40403,"message":"Schema 7 not found"}`, nil, true, 1},
		"a schema that is not Avro":       {200, `{"schema":"syntax","schemaType":"PROTOBUF"}`, nil, true, 1},
		"a proxy does not know the path":  {404, `<html>`, nil, false, 1},
		"the registry wants a credential": {401, `{"error_code":401,"message":"Unauthorized"}`, nil, false, 1},
		"the registry has no leader":      {500, `{"error_code":50004,"message":"leader"}`, nil, false, attempts},
		"the registry is busy":            {429, ``, nil, false, attempts},
		"nobody listens":                  {0, ``, errors.New("connection refused"), false, attempts},
		"a page instead of JSON":          {200, `<html>`, nil, false, attempts},
		"JSON of something else":          {200, `{}`, nil, false, 1},
		"an endless answer":               {200, `{"schema":"` + strings.Repeat("x", maxAnswer), nil, false, attempts},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				c := newClient(func(*http.Request) (int, string, error) {
					asked++
					return test.status, test.body, test.err
				})
				_, err := c.Schema(t.Context(), 7)
				if err == nil || errors.Is(err, schemas.ErrUnknownSchema) != test.unknown {
					t.Errorf("got %v", err)
				}
				if asked != test.asked {
					t.Errorf("asked %d times, want %d", asked, test.asked)
				}
				if strings.Contains(fmt.Sprint(err), "secret") {
					t.Errorf("the password is in %v", err)
				}
				if _, err := c.ID(t.Context(), schemas.TypeProbeSent); err == nil {
					t.Error("there is an id")
				}
			})
		})
	}
}

func TestARegistryThatComesBackIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, asked := time.Now(), 0
		c := newClient(func(*http.Request) (int, string, error) {
			if asked++; asked < attempts {
				return 503, "", nil
			}
			return 200, `{"schema":"\"int\""}`, nil
		})
		if _, err := c.Schema(t.Context(), 7); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 700*time.Millisecond {
			t.Errorf("took %s", took)
		}
	})
}

func TestConcurrentCallersShareOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		c := newClient(func(*http.Request) (int, string, error) {
			asked.Add(1)
			time.Sleep(time.Second)
			return 200, `{"schema":"\"int\""}`, nil
		})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := c.Schema(t.Context(), 7); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if asked.Load() != 1 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
}

// One caller's giving up is not the others' failure.
func TestACallerWhoGivesUpLetsAnotherAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		release := make(chan struct{})
		c := newClient(func(r *http.Request) (int, string, error) {
			asked.Add(1)
			select {
			case <-release:
				return 200, `{"schema":"\"int\""}`, nil
			case <-r.Context().Done():
				return 0, "", r.Context().Err()
			}
		})
		impatient, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Schema(impatient, 7); !errors.Is(err, context.Canceled) {
				t.Errorf("the impatient one got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if _, err := c.Schema(t.Context(), 7); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			short, stop := context.WithTimeout(t.Context(), time.Millisecond)
			defer stop()
			if _, err := c.Schema(short, 7); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who waited too long got %v", err)
			}
		})
		synctest.Wait()
		time.Sleep(time.Second)
		cancel()
		synctest.Wait()
		close(release)
		wg.Wait()
		if asked.Load() != 2 {
			t.Errorf("asked %d times, want once for each patient turn", asked.Load())
		}
	})
}
