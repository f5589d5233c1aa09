# What did the office know at half past nine? The log tells, as of any time.

> cnaf posts e1 ReferralMade about d1 {"from":"cnaf","to":"demo-1","service":"logement/demande-d-une-allocation-logement-apl-als-alf","reference":"7K3F-92QD"}
fact 0000000001
> wait 2m
> demo-1 posts r1 ReferralReceived about d1
fact 0000000002
> wait 2m
> demo-1 posts r2 ReferralRerouted about d1 {"competent":"msa","child":"d1~2"}
fact 0000000003
> demo-1 posts r3 ReferralMade about d1~2 {"from":"cnaf","to":"msa","parent":"d1","service":"logement/demande-d-une-allocation-logement-apl-als-alf","reference":"4H7P-XM3C"}
fact 0000000004
> demo-1 shows d1
d1 rerouted
d1~2 made
after 4 outcomes
> demo-1 shows d1 as of 1m ago
d1 received
after 2 outcomes
> demo-1 shows d1 as of 3m ago
d1 made
after 1 outcomes
> demo-1 shows d1 as of 5m ago
404 not_found

# The child did not exist a minute ago, but the dossier did.

> msa shows d1~2
d1 rerouted
d1~2 made
after 4 outcomes
> msa shows d1~2 as of 1m ago
404 not_found

# Who is no party learns nothing, whatever the time.

> cnav shows d1
404 not_found
> cnav shows d1 as of 1m ago
404 not_found
