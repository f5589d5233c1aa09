# An operator refers a person to an office. The office answers, asks, and is
# answered; everybody sees what concerns them, once, in order.
# It begins at five to one: what there is by the hour comes soon.

> wait 55m
> cnaf writes e1 ReferralMade about d1 {"from":"cnaf","to":"demo-1","service":"logement/demande-d-une-allocation-logement-apl-als-alf","reference":"7K3F-92QD"}
> demo-1 reads
0000000001 ReferralMade about d1
> demo-1 posts r1 ReferralReceived about d1
fact 0000000002
> demo-1 posts r2 ReviewStarted about d1
fact 0000000003
> demo-1 posts r3 InformationRequested about d1 {"items":[{"code":"identity_document"}]}
fact 0000000004
> cnaf posts e2 InformationProvided about d1 {"answered":["identity_document"]}
fact 0000000005
> demo-1 posts r4 ReferralAccepted about d1 {"planned_delay_days":10}
fact 0000000006
> cnaf reads
0000000001 ReferralMade about d1
0000000002 ReferralReceived about d1
0000000003 ReviewStarted about d1
0000000004 InformationRequested about d1
0000000005 InformationProvided about d1
0000000006 ReferralAccepted about d1
> demo-1 reads
0000000002 ReferralReceived about d1
0000000003 ReviewStarted about d1
0000000004 InformationRequested about d1
0000000005 InformationProvided about d1
0000000006 ReferralAccepted about d1

# The same again is one event; other content under the same id is refused.

> demo-1 posts r4 ReferralAccepted about d1 {"planned_delay_days":10}
repeat of 2-5

> demo-1 posts r4 ReferralAccepted about d1 {"planned_delay_days":11}
refused duplicate_id_other_content the id was used before, at 2-5, with other content

# What the state does not allow is refused with the reason, and the right ones
# are told.

> demo-1 posts r5 ReviewStarted about d1
refused transition_not_allowed ReviewStarted in state accepted: it is allowed in received
> cnaf posts e3 ReferralAccepted about d1
refused transition_not_allowed ReferralAccepted in state accepted: it is allowed in received, in_review
> demo-1 reads
SubmissionRefused about d1 of r4: duplicate_id_other_content
SubmissionRefused about d1 of r5: transition_not_allowed

# Nobody else learns anything, not even that the case exists.

> msa posts x1 ReferralAccepted about d1
refused not_a_party
> msa posts x2 ReferralAccepted about d2
refused not_a_party
> msa posts x3 ReferralMade about d1~mine {"from":"msa","to":"cnaf","service":"social-famille/demande-ou-actualisation-du-rsa","reference":"7K3F-92QD"}
refused not_a_party
> msa reads
SubmissionRefused about d1 of x1: not_a_party
SubmissionRefused about d1~mine of x3: not_a_party
SubmissionRefused about d2 of x2: not_a_party
> cnaf reads
SubmissionRefused about d1 of e3: transition_not_allowed

# After a restart everything is there, and goes on.

> restart
> demo-1 posts r6 ReferralStarted about d1
fact 0000000007
> demo-1 posts r7 ReferralCompleted about d1 {"outcome":"favourable"}
fact 0000000008
> cnaf posts e4 ReferralClosed about d1 {"useful":"yes"}
fact 0000000009
> wait 6m
> demo-1 posts r8 ReferralReopened about d1 {"reason":"new_information"}
fact 0000000010
> cnaf reads
0000000007 ReferralStarted about d1
0000000008 ReferralCompleted about d1
0000000009 ReferralClosed about d1
0000000001 StatementIssued about hub.statements-cnaf-0
0000000010 ReferralReopened about d1: new_information
