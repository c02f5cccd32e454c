"""The proof that delivery loses nothing: processes that are killed, a Laminar that misbehaves, a judge who compares.

`test_killing` is the short run of every test session, `make faults` the long one that writes docs/faults.md. Both put
people outside the app who keep a list of acknowledged saves (`people`), kill at failpoints and at random moments
(`chaos`), and at the end compare that list with the database and with the far side's log (`judge`).

| fault | shown by |
|---|---|
| web killed between the two rows, before and after the commit | test_saving, test_killing |
| worker killed before the send, after the far side applied, during the mark, after it, before a read is marked | \
test_killed_workers, test_killing |
| worker frozen and woken | worker/test_command, worker/test_faults, long_run |
| another worker takes over, also one of the same name: a lease has a number, no name | \
delivery/test_leasing, long_run |
| several workers on one backlog | test_killed_workers, delivery/test_leasing |
| SIGTERM while a push is under way | worker/test_command, worker/test_faults |
| database session cut, stopped hard, locked by another | test_database, worker/test_loop, long_run |
| database read-only, disk full | reviews/test_workbench |
| 404 for a while, 404 for ever | test_misbehaving, delivery/test_results, worker/test_loop |
| 5xx, 429 with each kind of Retry-After | test_misbehaving, laminar/test_errors |
| never answers, a byte at a time, endless body, reset before and after applying | test_misbehaving, \
laminar/test_deadline, worker/test_faults |
| 200 but never applied, applied late or out of order, an old patch replayed | test_misbehaving, worker/test_faults |
| 200 with a page or no JSON, 204, 301, 307 | test_misbehaving |
| 401 in mid-run and then another key, 403, a blank 404 | test_misbehaving, worker/test_loop |
| 400 and 413 for one row, a poison row at the head | test_misbehaving, worker/test_faults |
| unknown name, no TLS, wrong certificate | test_misbehaving, laminar/test_tls, laminar/test_addresses |
| clock put forward or back | delivery/test_leasing |
| an outage with 10,000 rows waiting | long_run, delivery/test_results |
| the same form a hundred times, two editors | test_saving, reviews/test_submitting |
| rolling restart | test_saving |
"""
