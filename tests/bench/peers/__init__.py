"""The same job in other ways, each a program of its own that reads the same log: what Signpost is compared with.

The job: keep, for each student and module, the volume of qualifying activity by day of its own time; write the active
days and the volume of the last 7, 14 and 28 days and the days since the last activity whenever a student comes on a
new day; and say once when there was nothing for 14 days. State outlives the program: it is logged to Kafka.

None of them asks for consent, knows double events or enrolments, or judges more than that one rule; they count days in
UTC, and take a message at least once.
"""
