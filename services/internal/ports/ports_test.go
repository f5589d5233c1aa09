package ports

import (
	"net"
	"strconv"
	"testing"
)

func TestTwoTrialsNeverTakeTheSamePorts(t *testing.T) {
	taken := map[int]bool{}
	for range 20 {
		first, release, err := Take(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		for _, block := range []int{first, first + Block} {
			if taken[block] {
				t.Errorf("the block from %d on was taken twice", block)
			}
			taken[block] = true
		}
	}
}

func TestABlockInWhichSomebodyListensIsLeftAlone(t *testing.T) {
	first, release, err := Take(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := take(t.Context(), first, 1); err == nil {
		t.Error("a block that is taken was taken again")
	}
	release()
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(first+7)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := take(t.Context(), first, 1); err == nil {
		t.Error("a block with a listener in it was taken")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := take(t.Context(), first, 1)
	if err != nil {
		t.Fatalf("a block that was given back: %v", err)
	}
	again()
}
