# An operator lost a day of its own log. It asks for its events again, by time,
# kind or case: first how many, then the events, marked, beside what is new.

> cnaf posts e1 ReferralMade about d1 {"from":"cnaf","to":"demo-1","service":"logement/demande-d-une-allocation-logement-apl-als-alf","reference":"7K3F-92QD"}
fact 0000000001
> demo-1 posts r1 ReferralReceived about d1
fact 0000000002
> msa posts m1 ReferralMade about d2 {"from":"msa","to":"demo-1","service":"social-famille/demande-ou-actualisation-du-rsa","reference":"4H7P-XM3C"}
fact 0000000001
> wait 5m
> demo-1 posts r2 ReferralAccepted about d1
fact 0000000003
> cnaf posts e2 ReferralAccepted about d1
refused transition_not_allowed ReferralAccepted in state accepted: it is allowed in received, in_review
> cnaf reads
0000000001 ReferralMade about d1
0000000002 ReferralReceived about d1
0000000003 ReferralAccepted about d1
SubmissionRefused about d1 of e2: transition_not_allowed
> cnaf replays {}
4 would be written again
> cnaf reads
nothing
> cnaf replays {"dry_run":false}
4 written again
> demo-1 posts r3 ReferralStarted about d1
fact 0000000004
> cnaf reads
0000000001 ReferralMade about d1 (replayed)
0000000002 ReferralReceived about d1 (replayed)
0000000003 ReferralAccepted about d1 (replayed)
SubmissionRefused about d1 of e2: transition_not_allowed (replayed)
0000000004 ReferralStarted about d1
> cnaf replays {"dry_run":false,"case":"d1","types":["ReferralReceived"]}
1 written again
> cnaf reads
0000000002 ReferralReceived about d1 (replayed)

# An office asks for its own, and nobody's page shows anything twice.

> demo-1 reads
0000000001 ReferralMade about d1
0000000002 ReferralReceived about d1
0000000001 ReferralMade about d2
0000000003 ReferralAccepted about d1
0000000004 ReferralStarted about d1
> demo-1 replays {"from":"2000-01-01T00:03:00Z"}
2 would be written again
> demo-1 replays {"from":"2000-01-01T00:03:00Z","dry_run":false}
2 written again
> demo-1 reads
0000000003 ReferralAccepted about d1 (replayed)
0000000004 ReferralStarted about d1 (replayed)

# The whole again after a restart: another replay, so that it comes again.

> restart
> msa replays {"dry_run":false}
1 written again
> msa replays {"dry_run":false}
1 written again
> msa reads
0000000001 ReferralMade about d2
0000000001 ReferralMade about d2 (replayed)
0000000001 ReferralMade about d2 (replayed)

# What cannot be had, and what to mend.

> cnaf replays {"participant":"msa"}
403 forbidden: a participant may have its own events again, and nobody else's
> nobody replays {}
401 not_signed_in: the API key or token is not known here, or no longer: ask the people who run the hub for another
> admin replays {}
400 malformed: participant: whose events?
> admin replays {"participant":"nobody"}
400 malformed: participant: "nobody" is not in the directory
> admin replays {"participant":"msa"}
1 would be written again
> cnaf replays {"rate":100000}
400 malformed: rate: 100000 events a second; use 1 to 5000
> cnaf replays {"types":["ReferralMad"]}
400 malformed: types: "ReferralMad" is no event of the catalogue, such as ReferralMade
> cnaf replays {"case":"???"}
400 malformed: case: it is a UUID or <own participant id>.<own string>, with ~<own string> for a further case of a dossier
> cnaf replays {"from":"2026-05-14T10:00:00Z","to":"2026-05-14T09:00:00Z"}
400 malformed: to: 2026-05-14T09:00:00Z is not after from
> cnaf replays {"cursor":"AAAA"}
400 malformed: cursor: not one that an answer gave; leave it out to begin anew
> cnaf replays {"since":"yesterday"}
400 malformed: the body is not what is expected: json: unknown field "since"; send {"from": …, "to": …, "types": […], "case": …, "dry_run": true}
> cnaf replays {} {}
400 malformed: the body has something after the JSON object
