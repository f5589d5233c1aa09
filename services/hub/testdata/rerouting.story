# An office refers a person to the wrong operator, who reroutes. The child stands
# in the same dossier, its sender is the office, and the office answers as before.

> demo-1 posts e1 ReferralMade about d1 {"from":"demo-1","to":"cnaf","service":"social-famille/demande-ou-actualisation-du-rsa","reference":"7K3F-92QD"}
fact 0000000001
> cnaf reads
0000000001 ReferralMade about d1
> cnaf posts c1 ReferralReceived about d1
fact 0000000002
> cnaf posts c2 ReferralRerouted about d1 {"competent":"msa","child":"d1~msa"}
fact 0000000003
> cnaf posts c3 ReferralMade about d1~msa {"parent":"d1","from":"demo-1","to":"msa","service":"social-famille/demande-ou-actualisation-du-rsa","reference":"4H7P-XM3C"}
fact 0000000004
> msa reads
0000000004 ReferralMade about d1~msa
> demo-1 reads
0000000001 ReferralMade about d1
0000000002 ReferralReceived about d1
0000000003 ReferralRerouted about d1
0000000004 ReferralMade about d1~msa
> msa posts m1 ReferralReceived about d1~msa
fact 0000000005
> msa posts m2 InformationRequested about d1~msa {"items":[{"code":"identity_document"}]}
refused transition_not_allowed InformationRequested in state received: it is allowed in in_review, accepted, in_progress

# A second child, and one that nobody announced, are refused.

> cnaf posts c4 ReferralMade about d1~other {"parent":"d1","from":"demo-1","to":"msa","service":"social-famille/demande-ou-actualisation-du-rsa","reference":"9C7R-WT4D"}
refused transition_not_allowed the parent has its child already
> demo-1 posts e2 ReferralCancelled about d1~msa {"reason":"person_asked"}
fact 0000000006
> cnaf reads
0000000002 ReferralReceived about d1
0000000003 ReferralRerouted about d1
0000000004 ReferralMade about d1~msa
SubmissionRefused about d1~other of c4: transition_not_allowed
> msa reads
0000000005 ReferralReceived about d1~msa
SubmissionRefused about d1~msa of m2: transition_not_allowed
0000000006 ReferralCancelled about d1~msa: person_asked
