// Package model sets the guarantee on random schedules: the real gateway, ledger,
// router and inbox, on thin engines that do, at random, what engines do at their
// worst. Its tests are all there is of it.
//
// A schedule is a seed. It lets two owners of a partition work at once, applies
// produces late (right before a later one, if it can) or loses their answers, refuses
// some, flushes the store or puts an older copy of it back between any two commands,
// stalls services, and kills them, often just when a produce of theirs went wrong. It
// suspends participants and lets them in again, of which each process learns in its
// own time, and nobody who knows may send them anything.
// Then it is quiet, and what is on the log, in the store and with the recipients is
// held against what an undisturbed ledger makes of the same submissions. Time is
// virtual, so that a schedule of a minute takes a tenth of a second.
//
// That it finds the absence of every clause is a test of its own, which builds it
// with each defect of package defect.
package model
