package defect

const (
	ledger   = "services/ledger/"
	router   = "services/router/"
	gateway  = "services/gateway/"
	store    = "services/internal/store/"
	brokered = "services/internal/broker/"
)

// All are the defects, by the clause that they break.
func All() []Defect {
	return []Defect{
		{
			Name:   "fold-left-out",
			Clause: "An owner's state comes from folding what is recorded, not only its place in the log.",
			Edits: []Edit{{
				ledger + "owner.go",
				"	return o.applyAll(ctx, records[len(records)-1], applied)\n",
				"	return o.commit(ctx, nil, records[len(records)-1], highest)\n",
			}},
		},
		{
			Name:   "reads-not-compared",
			Clause: "Reads that a decision rests on fetch state and position together, and compare.",
			Edits: []Edit{{
				store + "projection.go",
				"	if !same {\n		return nil, p.moved(\"get\", partition)\n	}\n",
				"	_ = same\n",
			}},
		},
		{
			Name:   "writes-not-compared",
			Clause: "Writes to the store are a compare-and-set on the position.",
			Edits: []Edit{{
				store + "script.go",
				"elseif stored ~= ARGV[1] then\n  return 0\nend",
				"end",
			}},
		},
		{
			Name:   "base-offset-not-checked",
			Clause: "If an acknowledgement's base offset is not the end it knew, somebody else wrote: it folds again.",
			Edits: []Edit{{
				ledger + "judge.go",
				"		case err == nil && base != o.at.Next:\n			return errFoldAgain\n",
				"",
			}, {
				ledger + "judge.go",
				"		base, err := o.host.Broker.ProduceBatch(",
				"		_, err := o.host.Broker.ProduceBatch(",
			}},
		},
		{
			Name:   "fault-in-company",
			Clause: "What rests on the hub's own fault is not sent with it: it waits until that is known to be the first outcome.",
			Edits: []Edit{{
				ledger + "judge.go",
				"			records = records[:max(n, 1)]\n			break\n",
				"			continue\n",
			}},
		},
		{
			Name:   "refusal-taken-for-a-fault",
			Clause: "An outcome that is refused for what is not in it, such as a right taken away, waits until it is taken: it is nobody's fault.",
			Edits: []Edit{{
				ledger + "judge.go",
				"errors.As(err, &refused) && !refused.OfTheRecord():",
				"errors.As(err, &refused) && false:",
			}},
		},
		{
			Name:   "unknown-fate-taken-for-written",
			Clause: "A request of unknown fate is repeated unchanged before anything later is sent.",
			Edits: []Edit{{
				ledger + "judge.go",
				"		if pause.For(ctx, wait) != nil {\n			return ctx.Err()\n		}\n	}\n}\n\n// produceHalves",
				"		if _ = pause.For; wait > 0 {\n			return nil\n		}\n	}\n}\n\n// produceHalves",
			}},
		},
		{
			Name:   "memory-kept",
			Clause: "On a mismatch nothing is written, and memory is dropped.",
			Edits: []Edit{{
				ledger + "owner.go",
				"	o.memory = newMemory()\n",
				"	if o.memory == nil {\n		o.memory = newMemory()\n	}\n",
			}, {
				ledger + "owner.go",
				"o.fromBeginning, o.memory = store.Position{}, -1, true, newMemory()",
				"o.fromBeginning = store.Position{}, -1, true",
			}},
		},
		{
			Name:   "position-apart",
			Clause: "A projection's effects and its position are written in one transaction.",
			Edits: []Edit{{
				store + "script.go",
				"redis.call('SET', KEYS[1], ARGV[2])\nreturn 1",
				"return 1",
			}, {
				store + "projection.go",
				"	if done == 0 {\n		return p.moved(\"commit to\", partition)\n	}\n	return nil\n",
				"	if done == 0 {\n		return p.moved(\"commit to\", partition)\n	}\n	return p.store.client.Set(ctx, p.store.positionKey(at), args[1], 0).Err()\n",
			}},
		},
		{
			Name:   "wall-clock",
			Clause: "A decision uses the dossier's state and the submission only, never the wall clock.",
			Edits: []Edit{{
				ledger + "decide.go",
				"func clamp(d *dossier, s *submission) int64 { return max(d.Last, s.Received) }",
				"func clamp(d *dossier, _ *submission) int64 { return max(d.Last, time.Now().UnixMilli()) }",
			}},
		},
		{
			Name:   "ids-burnt",
			Clause: "A gateway's verdict, not_a_party, hub_error and not yet due are recorded but not remembered.",
			Edits: []Edit{{
				ledger + "apply.go",
				"	return reason == schemas.ReasonTransitionNotAllowed\n",
				"	return reason != \"\"\n",
			}},
		},
		{
			Name:   "ids-forgotten",
			Clause: "A client's own retry is recognised by source and id, for as long as the dossier's state lives.",
			Edits: []Edit{{
				ledger + "state.go",
				"	d.Seen = append(d.Seen, s)\n}",
				"	_ = append(d.Seen, s)\n}",
			}},
		},
		{
			Name:   "gateway-overtakes",
			Clause: "A later record of a dossier is handed in only once the earlier ones are acknowledged.",
			Edits: []Edit{{
				gateway + "topics.go",
				"ok && h.dossier() != \"\" && earlier >= settled {",
				"ok && h.dossier() != \"\" && earlier < 0 {",
			}},
		},
		{
			Name:   "gateway-commits-early",
			Clause: "The gateway commits its place on a from topic after what it read there is acknowledged.",
			Edits: []Edit{{
				gateway + "topics.go",
				"			if err := d.handIn(ctx, step); err != nil {",
				"			if err := claim.Commit(ctx, step.Next, \"\"); err != nil {\n				return err\n			}\n			if err := d.handIn(ctx, step); err != nil {",
			}},
		},
		{
			Name:   "router-commits-early",
			Clause: "The router commits the pair after its copies are acknowledged.",
			Edits: []Edit{{
				router + "partition.go",
				"		case at.Next < b.Pair.Next:\n			b.Pair = at\n",
				"",
			}},
		},
		{
			Name:   "held-forgotten",
			Clause: "A participant that is resumed gets what was held back while it was suspended.",
			Edits: []Edit{{
				router + "hold.go",
				"	l.late, l.held, l.resumed = l.heldUpTo(), false, time.Now()\n",
				"	l.late, l.held, l.resumed, l.next = l.heldUpTo(), false, time.Now(), l.p.seen.Pair()\n",
			}},
		},
		{
			Name:   "held-not-in-the-book",
			Clause: "The router that takes a partition over knows from where on copies are held back.",
			Edits: []Edit{{
				router + "partition.go",
				"		switch at := l.at(); {\n",
				"		switch at := l.at(); {\n		case l.held:\n",
			}},
		},
		{
			Name:   "suspended-sent-to",
			Clause: "Nothing is sent to a participant of whose suspension the router knows.",
			Edits: []Edit{{
				router + "lane.go",
				"		case suspended:\n			return errSuspended\n",
				"		case suspended:\n",
			}},
		},
		{
			Name:   "recorded-read-twice",
			Clause: "A reader of recorded drops what is not above the pair that it keeps.",
			Edits: []Edit{{
				brokered + "positions.go",
				"	if submitted <= d.pair.Highest {\n		return false, nil\n	}",
				"	if submitted <= d.pair.Highest {\n		return true, nil\n	}",
			}},
		},
		{
			Name:   "numbers-ignored",
			Clause: "Readers of a to topic keep one number per submitted partition, and drop what is not above.",
			Edits: []Edit{{
				brokered + "positions.go",
				"ok && submittedOffset <= highest {\n		return false\n	}",
				"ok && submittedOffset <= highest {\n		return true\n	}",
			}},
		},
	}
}

// Tools are what test builds need: they break no clause.
func Tools() []Defect {
	return []Defect{
		{
			// The variable is a span of time (`-90s`, `48h`), or `@` and a file that
			// holds one, which is read each time: what is written there makes a running
			// gateway's clock jump.
			Name:   "jumping-clock",
			Clause: "The gateway's clock is off by what the environment variable RELAIS_PROOF_CLOCK says.",
			Edits: []Edit{{
				gateway + "judge.go",
				"	h = &hearing{judge: j, claim: c, dir: j.directory.Snapshot(), now: time.Now().",
				"	h = &hearing{judge: j, claim: c, dir: j.directory.Snapshot(), now: jumpingNow().",
			}, {
				gateway + "judge.go",
				"	h := &hearing{judge: j, claim: c, dir: j.directory.Snapshot(), now: time.Now().",
				"	h := &hearing{judge: j, claim: c, dir: j.directory.Snapshot(), now: jumpingNow().",
			}, {
				File: gateway + "jumpingclock.go",
				New: `package gateway

import (
	"os"
	"strings"
	"time"
)

func jumpingNow() time.Time {
	text := os.Getenv("RELAIS_PROOF_CLOCK")
	if file, ok := strings.CutPrefix(text, "@"); ok {
		data, _ := os.ReadFile(file)
		text = strings.TrimSpace(string(data))
	}
	off, _ := time.ParseDuration(text)
	return time.Now().Add(off)
}
`,
			}},
		},
		{
			Name:   "release-before",
			Clause: "A ledger of another release keeps its dossiers in another format, and takes ours for absent.",
			Edits: []Edit{{
				ledger + "state.go",
				"const stateFormat = \"2\"",
				"const stateFormat = \"0\"",
			}},
		},
		{
			Name:   "deaf-owner",
			Clause: "A ledger that does not hear that a partition is no longer its own, and goes on writing to it.",
			Edits: []Edit{{
				ledger + "ledger.go",
				"		return newOwner(l, c).run(ctx)\n",
				"		go func() { _ = newOwner(l, c).run(context.WithoutCancel(ctx)) }()\n		<-ctx.Done()\n		return nil\n",
			}},
		},
	}
}
