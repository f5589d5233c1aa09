package broker_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/relais-fr/relais/services/internal/broker"
)

func TestPairsAreReadAsTheyAreWritten(t *testing.T) {
	for _, p := range []broker.Pair{broker.Beginning(), {Next: 1042, Highest: 1040}, {Next: 1<<63 - 1, Highest: 1<<63 - 1}} {
		if got, err := broker.ParsePair(p.String()); err != nil || got != p {
			t.Errorf("ParsePair(%q) = %v, %v", p, got, err)
		}
	}
	for _, s := range []string{"", "1", "1,", ",1", "1,2,3", "-1,0", "0,-2", "01,0", " 1,0", "1,0 ", "+1,0", "a,b", "9223372036854775808,0"} {
		if got, err := broker.ParsePair(s); err == nil {
			t.Errorf("ParsePair(%q) = %v", s, got)
		}
	}
}

func TestARepeatedOutcomeIsDropped(t *testing.T) {
	type step struct {
		offset, submitted int64
		fresh             bool
		err               error
	}
	for _, tc := range []struct {
		name  string
		from  broker.Pair
		steps []step
		want  broker.Pair
	}{
		{"each outcome once", broker.Beginning(), []step{{0, 0, true, nil}, {1, 1, true, nil}}, broker.Pair{Next: 2, Highest: 1}},
		{"a batch that was written twice", broker.Beginning(), []step{{0, 0, true, nil}, {1, 1, true, nil}, {2, 0, false, nil}, {3, 1, false, nil}, {4, 2, true, nil}}, broker.Pair{Next: 5, Highest: 2}},
		{"going on from a pair, with a repetition first", broker.Pair{Next: 7, Highest: 4}, []step{{7, 3, false, nil}, {8, 4, false, nil}, {9, 5, true, nil}}, broker.Pair{Next: 10, Highest: 5}},
		{"a pair that is not this log's", broker.Pair{Next: 7, Highest: 4}, []step{{7, 6, false, broker.ErrBadPair}}, broker.Pair{Next: 7, Highest: 4}},
		{"a log that does not begin at its beginning", broker.Beginning(), []step{{0, 1, false, broker.ErrBadPair}}, broker.Beginning()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := broker.NewDedup(tc.from)
			for _, s := range tc.steps {
				fresh, err := d.Take(s.offset, s.submitted)
				if fresh != s.fresh || !errors.Is(err, s.err) {
					t.Errorf("Take(%d, %d) = %v, %v", s.offset, s.submitted, fresh, err)
				}
			}
			if diff := cmp.Diff(tc.want, d.Pair()); diff != "" {
				t.Errorf("pair (-want +got):\n%s", diff)
			}
			d.Skip(tc.want.Next + 2)
			d.Skip(1)
			if d.Pair().Next != tc.want.Next+2 {
				t.Errorf("after Skip: %v", d.Pair())
			}
		})
	}
}

func TestReadersOfAWayOutKeepOneNumberPerPartition(t *testing.T) {
	n := broker.Numbers{}
	for _, s := range []struct {
		partition int
		offset    int64
		fresh     bool
	}{{0, 5, true}, {0, 5, false}, {3, 5, true}, {0, 9, true}, {0, 7, false}, {3, 0, false}} {
		if got := n.Take(s.partition, s.offset); got != s.fresh {
			t.Errorf("Take(%d, %d) = %v", s.partition, s.offset, got)
		}
	}
	if n.String() != "0:9,3:5" {
		t.Errorf("numbers are %q", n)
	}
	got, err := broker.ParseNumbers(n.String())
	if diff := cmp.Diff(n, got); diff != "" || err != nil {
		t.Errorf("ParseNumbers, %v (-want +got):\n%s", err, diff)
	}
	if got, err := broker.ParseNumbers(""); err != nil || len(got) != 0 {
		t.Errorf("ParseNumbers of nothing = %v, %v", got, err)
	}
	for _, s := range []string{"0", "0:", ":1", "0:1,", "1:1,0:1", "0:1,0:2", "-1:1", "0:-1", "00:1"} {
		if got, err := broker.ParseNumbers(s); err == nil {
			t.Errorf("ParseNumbers(%q) = %v", s, got)
		}
	}
}
