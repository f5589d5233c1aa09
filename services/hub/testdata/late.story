# The order is the one of arrival, not of the clocks: what happened earlier and is
# typed later is recorded where it comes in.

> wait 50m
> demo-1 posts v1 VisitRecorded about d1 time=2000-01-01T00:05:00Z {"office":"demo-1","day":"2000-01-01","half_day":"morning","channel":"phone","operators":["cnaf"],"services":[]}
fact 0000000001
> demo-1 posts v2 VisitCorrected about d1 time=2000-01-01T00:01:00Z {"office":"demo-1","day":"2000-01-01","half_day":"morning","channel":"email","operators":["cnaf"],"services":[]}
fact 0000000002
> demo-1 posts v3 VisitVoided about d1 {"reason":"raised_in_error"}
fact 0000000003
> demo-1 posts v4 VisitCorrected about d1 {"office":"demo-1","day":"2000-01-01","half_day":"morning","channel":"phone","operators":["cnaf"],"services":[]}
refused transition_not_allowed VisitCorrected in state voided: it is allowed in recorded, corrected

# A person who cancels less than four hours before the start is late: it is recorded
# with the attribute, not refused.

> demo-1 posts a1 AppointmentBooked about d2 {"office":"demo-1","operator":"cnaf","mode":"phone","starts":"2000-01-01T04:00:00Z"}
fact 0000000001
> demo-1 posts a2 AppointmentCancelled about d2 {"by":"person"}
fact 0000000002
> demo-1 posts a3 AppointmentBooked about d3 {"office":"demo-1","operator":"cnaf","mode":"phone","starts":"2000-01-01T06:00:00Z"}
fact 0000000001
> demo-1 posts a4 AppointmentCancelled about d3 {"by":"person"}
fact 0000000002
> cnaf reads
0000000001 AppointmentBooked about d3
0000000002 AppointmentCancelled about d3
0000000001 AppointmentBooked about d2
0000000002 AppointmentCancelled about d2 (late)

# What lies more than a day ahead is no time at which anything can have happened.

> demo-1 posts v5 VisitRecorded about d4 time=2000-01-03T00:00:00Z {"office":"demo-1","day":"2000-01-01","half_day":"morning","channel":"phone","operators":["cnaf"],"services":[]}
refused malformed time: more than a day ahead
