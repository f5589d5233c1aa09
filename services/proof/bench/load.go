package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// referralJSON is event n as an operator's system would post it; name keeps the
// events of one load apart from another's.
func referralJSON(name string, n int) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":"%s%s%d","source":"/participants/cnaf/bench","type":"fr.relais.referral.v1.ReferralMade",`+
		`"subject":"cnaf.%s.%d","data":{"from":"cnaf","to":"%s","service":"social-famille/demande-ou-actualisation-du-rsa","reference":"7K3F-92QD"}}`,
		name, idPrefix, n, name, n, officeID(n%sampleOffices))
}

// fedJSON is event n as an office's software would post it, in the office's name: a
// participant of its own may hand in 2,000 events a second, a feeder more.
func fedJSON(name string, n int) string {
	office := officeID(n % sampleOffices)
	return fmt.Sprintf(`{"specversion":"1.0","id":"%s%s%d","source":"/participants/%s/feeder","type":"fr.relais.referral.v1.ReferralMade",`+
		`"subject":"%s.%s.%d","data":{"from":"%s","to":"cnaf","service":"social-famille/demande-ou-actualisation-du-rsa","reference":"7K3F-92QD"}}`,
		name, idPrefix, n, office, office, name, n, office)
}

// sampleOffices are the offices demo-1 and on that every hub on loopback knows.
const sampleOffices = 20

// saturate posts over so many connections, each as soon as its last answer came, and
// returns the sorted times of the answers and how many were not a 2xx. It speaks
// HTTP by itself: a client library would take the processors from what is measured.
func saturate(ctx context.Context, door entry, name string, conns int, d time.Duration) (times []time.Duration, refused int, err error) {
	var next atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for range conns {
		wg.Go(func() {
			own, bad, fault := post(ctx, door, name, &next, end)
			mu.Lock()
			defer mu.Unlock()
			times, refused = append(times, own...), refused+bad
			if fault != nil {
				err = fault
			}
		})
	}
	wg.Wait()
	slices.Sort(times)
	return times, refused, err
}

func post(ctx context.Context, door entry, name string, next *atomic.Int64, end time.Time) (times []time.Duration, refused int, err error) {
	conn, err := door.dial(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	var request []byte
	for time.Now().Before(end) && ctx.Err() == nil {
		body := fedJSON(name, int(next.Add(1)))
		request = fmt.Appendf(request[:0], "POST /v1/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/cloudevents+json\r\nContent-Length: %d\r\n\r\n%s", door.address, door.token, len(body), body)
		started := time.Now()
		if _, err := conn.Write(request); err != nil {
			return times, refused, err
		}
		status, err := readAnswer(answers)
		if err != nil {
			return times, refused, err
		}
		if status/100 != 2 {
			refused++
			continue
		}
		times = append(times, time.Since(started))
	}
	return times, refused, nil
}

// readAnswer reads one answer with a content length, and its status.
func readAnswer(r *bufio.Reader) (status int, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("the answer begins with %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length := 0
	for {
		line, err = r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		const name = "content-length:"
		if len(line) > len(name) && strings.EqualFold(string(line[:len(name)]), name) {
			if length, err = strconv.Atoi(strings.TrimSpace(string(line[len(name):]))); err != nil {
				return 0, err
			}
		}
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return status, err
}

// stream posts at a constant rate, whatever becomes of what was posted before.
type stream struct {
	pace     *pace
	answered *arrivals // when a 2xx came
	mu       sync.Mutex
	statuses map[int]int
	slowest  time.Duration
	faults   []error
}

func newStream(perSecond, total int) *stream {
	return &stream{pace: newPace(perSecond), answered: newArrivals(total), statuses: map[int]int{}}
}

// run posts events 0 to total, or until ctx ends, and waits for the answers. wait is
// how long an answer may wait for the outcome; 0 for none.
func (s *stream) run(ctx context.Context, address, name string, wait int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	defer wg.Wait()
	for n := range s.answered.times {
		s.pace.wait(n)
		if ctx.Err() != nil {
			return
		}
		wg.Go(func() { s.one(context.WithoutCancel(ctx), client, address, name, n, wait) })
	}
}

func (s *stream) one(ctx context.Context, client *http.Client, address, name string, n, wait int) {
	status, err := func() (int, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/events", strings.NewReader(referralJSON(name, n)))
		if err != nil {
			return 0, err
		}
		req.Header.Set("Authorization", "Bearer dev-cnaf")
		req.Header.Set("Content-Type", "application/cloudevents+json")
		if wait > 0 {
			req.Header.Set("Prefer", "wait="+strconv.Itoa(wait))
		}
		res, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		defer func() { _ = res.Body.Close() }()
		_, err = io.Copy(io.Discard, res.Body)
		return res.StatusCode, err
	}()
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[status]++
	s.slowest = max(s.slowest, now.Sub(s.pace.due(n)))
	if err != nil {
		s.faults = append(s.faults, err)
	}
	if status/100 == 2 {
		s.answered.at(n, now)
	}
}

// told is what the answers were, in words.
func (s *stream) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var words []string
	for status, n := range s.statuses {
		word := strconv.Itoa(status)
		if status == 0 {
			word = "no answer"
		}
		words = append(words, fmt.Sprintf("%s × %s", thousands(float64(n)), word))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
