package pause

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPauseIsAsLongAsItSaysUnlessItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := For(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("waited %s for a minute: %v", time.Since(began), err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("nobody waits any more")
		time.AfterFunc(time.Second, func() { cancel(enough) })
		began = time.Now()
		if err := For(ctx, time.Minute); !errors.Is(err, enough) || time.Since(began) != time.Second {
			t.Errorf("waited %s for a context that ended after a second: %v", time.Since(began), err)
		}
	})
}
