"""Tests that delivery loses nothing when processes are killed and Laminar misbehaves.

`test_chaos` is the short run, part of every test session; `make faults` is the long one, which writes docs/faults.md.
Both simulate reviewers over HTTP who record their acknowledged saves (`reviewers`), kill processes at failpoints and at
random moments (`chaos`, `long_run`), then compare that record with the database and the fake Laminar's log
(`verification`).

| fault | tests |
|---|---|
| web killed between the two rows, before and after the commit | test_saving, test_chaos |
| worker killed before the send, after Laminar applied, while recording, after recording, before a read is recorded | \
test_killed_workers, test_chaos |
| worker frozen and resumed | worker/test_command, worker/test_faults, long_run |
| another worker takes over, also one with the same name (a lease has a number, not a name) | \
delivery/test_leasing, long_run |
| worker killed while it adds a file | test_uploads |
| several workers on one backlog | test_killed_workers, delivery/test_leasing |
| SIGTERM during a push | worker/test_command, worker/test_faults |
| database connection terminated, server crashed, locked by another program | \
test_database, worker/test_loop, long_run |
| database hangs, is frozen or keeps a lock; SIGTERM meanwhile | test_hung_database, black_holes |
| Laminar silent while pages ask it | test_silent_laminar |
| database read-only, disk full | test_unwritable_database, reviews/test_workbench |
| 404 for a while, 404 forever | test_server_faults, delivery/test_results, worker/test_loop |
| 5xx, 429 with each kind of Retry-After | test_server_faults, laminar/test_errors |
| never answers, a byte at a time, endless body, reset before and after applying | test_server_faults, \
laminar/test_deadline, worker/test_faults |
| 200 but never applied, applied late or out of order, an old patch replayed | test_server_faults, worker/test_faults |
| 200 with an HTML page or invalid JSON, 204, 301, 307 | test_server_faults |
| 401 during a run followed by another key, 403, an empty 404 | test_server_faults, worker/test_loop |
| 400 and 413 for one row, a failing row at the head of the queue | test_server_faults, worker/test_faults |
| unknown host name, no TLS, wrong certificate | test_server_faults, laminar/test_tls, laminar/test_addresses |
| hosts' clocks an hour apart, a clock that jumps | test_clocks, test_chaos, long_run, lib/test_clock |
| the database's own clock set back | delivery/test_leasing, delivery/test_clock_skew |
| a stored row that cannot be read | delivery/test_unreadable |
| a delayed push lands after a newer one | delivery/test_drift |
| an outage with 10,000 rows waiting | long_run, delivery/test_results |
| the same form submitted a hundred times, two editors | test_saving, reviews/test_submitting |
| rolling restart, also of nodes behind nginx and Caddy | test_saving, test_rolling_restarts |
"""
