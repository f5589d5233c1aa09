package auth

import (
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Bounds of failed sign-ins from one address: so many a second, and so many at once
// after a pause. Whoever shows a good key passes in any case: many sit behind one
// address.
const (
	failuresPerSecond = 5
	failuresAtOnce    = 50
	// maxAddresses bounds how many addresses are remembered.
	maxAddresses = 10_000
	// tellEvery is the least time between two lines of the log about failures.
	tellEvery = time.Second
)

// logins counts who signs in and who does not, and slows down who tries.
type logins struct {
	log   *slog.Logger
	total *prometheus.CounterVec

	mu       sync.Mutex
	failures map[string]*failures
	swept    time.Time
	told     time.Time
	untold   int
}

// failures are those of one address: tokens of a bucket, as of then.
type failures struct {
	left float64
	then time.Time
}

func newLogins(log *slog.Logger, metrics prometheus.Registerer) *logins {
	l := &logins{log: log, failures: map[string]*failures{}, total: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "relais_logins_total", Help: "Requests at the hub's doors by HTTP and those of its schema registry (door: http, registry), by whether their sender was known: ok, none (no credential), bad, expired, slowed or not_yet.",
	}, []string{"door", "result"})}
	if metrics != nil {
		metrics.MustRegister(l.total)
	}
	return l
}

// The doors of the metric. Kafka's are its own to count.
const (
	doorHTTP     = "http"
	doorRegistry = "registry"
)

// count takes a sign-in at a door into account, and gives the error to answer with.
func (l *logins) count(door, address string, err error) error {
	result := "ok"
	switch {
	case err == nil:
	case errors.Is(err, ErrNoToken):
		result = "none"
	case errors.Is(err, ErrNotYet):
		result = "not_yet"
	case errors.Is(err, ErrExpired):
		result = "expired"
	default:
		result = "bad"
		if l.isTooMuch(address) {
			result, err = "slowed", ErrTooMany
		}
	}
	l.total.WithLabelValues(door, result).Inc()
	if result == "bad" || result == "slowed" {
		l.tell(address)
	}
	return err
}

// isTooMuch takes one failure of an address, and says whether it has had its share.
func (l *logins) isTooMuch(address string) bool {
	address = neighbourhood(address)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	f := l.failures[address]
	if f == nil {
		if len(l.failures) >= maxAddresses {
			l.forget(now)
		}
		f = &failures{left: failuresAtOnce, then: now}
		l.failures[address] = f
	}
	f.left = min(failuresAtOnce, f.left+now.Sub(f.then).Seconds()*failuresPerSecond)
	f.then = now
	if f.left < 1 {
		return true
	}
	f.left--
	return false
}

// neighbourhood is what counts as one address: of IPv6 the half that a network is
// given whole, or a caller would have a new address for each try.
func neighbourhood(address string) string {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	ip := a.Addr().Unmap().WithZone("")
	if ip.Is6() {
		half, _ := ip.Prefix(64)
		return half.String()
	}
	return ip.String()
}

// forget drops the addresses that have had a long enough pause, and where there are
// none any other: to be forgotten is a pause.
func (l *logins) forget(now time.Time) {
	// Looking at all of them is dear, and changes nothing within one pause.
	if pause := time.Second * failuresAtOnce / failuresPerSecond; now.Sub(l.swept) >= pause {
		l.swept = now
		for address, f := range l.failures {
			if now.Sub(f.then) >= pause {
				delete(l.failures, address)
			}
		}
	}
	for address := range l.failures {
		if len(l.failures) < maxAddresses {
			return
		}
		delete(l.failures, address)
	}
}

// tell writes one line a second at most; nothing that the caller sent stands in it.
func (l *logins) tell(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.untold++
	if now := time.Now(); now.Sub(l.told) >= tellEvery {
		l.log.Warn("sign-in failed", "from", address, "count", l.untold)
		l.told, l.untold = now, 0
	}
}
