# Deadlines are the hub's own events. Here they are short: an operator that is silent
# is warned, reminded and escalated, and then the referral expires.

> set deadline.receipt 1 minute
> set deadline.reminder 2 minutes
> set deadline.escalation 3 minutes
> set deadline.expiry 8 minutes
> wait 1s
> demo-1 posts e1 ReferralMade about d1 {"from":"demo-1","to":"cnaf","service":"social-famille/demande-ou-actualisation-du-rsa","reference":"7K3F-92QD"}
fact 0000000001
> wait 90s
> cnaf reads
0000000001 ReferralMade about d1
0000000002 DeadlineApproaching about d1
> wait 2m
> cnaf reads
0000000003 DeadlineBreached about d1
0000000004 EscalationRaised about d1
> restart
> wait 5m
> cnaf reads
0000000005 ReferralExpired about d1
> demo-1 reads
0000000001 ReferralMade about d1
0000000002 DeadlineApproaching about d1
0000000003 DeadlineBreached about d1
0000000004 EscalationRaised about d1
0000000005 ReferralExpired about d1
> cnaf posts c1 ReferralReceived about d1
refused transition_not_allowed ReferralReceived in state expired: it is allowed in made

# While something is missing the clock stands still: it would be over after 8 minutes,
# and lasts for 11.

> demo-1 posts e2 ReferralMade about d2 {"from":"demo-1","to":"cnaf","service":"social-famille/demande-ou-actualisation-du-rsa","reference":"4H7P-XM3C"}
fact 0000000001
> cnaf posts c2 ReferralReceived about d2
fact 0000000002
> cnaf posts c3 ReviewStarted about d2
fact 0000000003
> cnaf posts c4 InformationRequested about d2 {"items":[{"code":"tax_notice"}]}
fact 0000000004
> wait 4m
> demo-1 posts e3 InformationProvided about d2 {"answered":["tax_notice"]}
fact 0000000005
> wait 7m
> cnaf posts c5 ReferralAccepted about d2
fact 0000000008
> demo-1 reads
0000000001 ReferralMade about d2
0000000002 ReferralReceived about d2
0000000003 ReviewStarted about d2
0000000004 InformationRequested about d2
0000000005 InformationProvided about d2
0000000006 DeadlineBreached about d2
0000000007 EscalationRaised about d2
0000000008 ReferralAccepted about d2

# What is completed is closed, and an appointment of which nobody tells is asked after.

> set deadline.closing_reminder 1 minute
> set deadline.closing 3 minutes
> set deadline.appointment_report 2 minutes
> wait 1s
> cnaf posts c6 ReferralCompleted about d2 {"outcome":"favourable"}
fact 0000000009
> demo-1 posts e4 AppointmentBooked about d3 {"office":"demo-1","operator":"cnaf","mode":"phone","starts":"2000-01-01T00:00:00Z"}
fact 0000000001
> wait 4m
> demo-1 reads
0000000009 ReferralCompleted about d2
0000000001 AppointmentBooked about d3
0000000010 DeadlineApproaching about d2
0000000002 AppointmentUnreported about d3
0000000011 ReferralClosed about d2
