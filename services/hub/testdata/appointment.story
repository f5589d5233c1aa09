# An appointment moves its referral; when the last one is gone, the referral goes
# back to accepted.

> demo-1 posts e1 ReferralMade about d1 {"from":"demo-1","to":"cnaf","service":"social-famille/demande-ou-actualisation-du-rsa","reference":"7K3F-92QD"}
fact 0000000001
> cnaf posts c1 ReferralReceived about d1
fact 0000000002
> cnaf posts c2 AppointmentBooked about d1~rdv {"office":"demo-1","operator":"cnaf","mode":"in_person","starts":"2000-01-03T09:00:00Z","referral":"d1"}
fact 0000000003
> cnaf posts c3 ReviewStarted about d1
refused transition_not_allowed ReviewStarted in state scheduled: it is allowed in received
> demo-1 posts e2 AppointmentRescheduled about d1~rdv {"old_starts":"2000-01-03T09:00:00Z","new_starts":"2000-01-04T09:00:00Z"}
fact 0000000004
> demo-1 posts e3 AppointmentCancelled about d1~rdv {"by":"person","reason":"person_ill"}
fact 0000000005
> cnaf posts c4 AppointmentAttended about d1~rdv
refused transition_not_allowed AppointmentAttended in state cancelled_by_person: it is allowed in booked, unreported
> cnaf posts c5 ReferralStarted about d1
fact 0000000006
> cnaf reads
0000000001 ReferralMade about d1
0000000002 ReferralReceived about d1
0000000003 AppointmentBooked about d1~rdv
SubmissionRefused about d1 of c3: transition_not_allowed
0000000004 AppointmentRescheduled about d1~rdv
0000000005 AppointmentCancelled about d1~rdv: person_ill
SubmissionRefused about d1~rdv of c4: transition_not_allowed
0000000006 ReferralStarted about d1
> demo-1 reads
0000000001 ReferralMade about d1
0000000002 ReferralReceived about d1
0000000003 AppointmentBooked about d1~rdv
0000000004 AppointmentRescheduled about d1~rdv
0000000005 AppointmentCancelled about d1~rdv: person_ill
0000000006 ReferralStarted about d1

# An appointment that comes before its booking is known to nobody: late is
# recorded, early is refused and may come again under the same id.

> cnaf posts c6 AppointmentAttended about d2
refused not_a_party
> demo-1 posts e4 AppointmentBooked about d2 {"office":"demo-1","operator":"cnaf","mode":"phone","starts":"2000-01-01T00:30:00Z"}
fact 0000000001
> cnaf posts c6 AppointmentAttended about d2
fact 0000000002
