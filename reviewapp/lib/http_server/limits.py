"""Limits of one server process, read from environment variables."""

import os

# Seconds from the first byte of a request to the end of its headers, and from there to the end of its body.
HEAD_SECONDS = float(os.environ.get("REQUEST_HEAD_SECONDS", "10"))
BODY_SECONDS = float(os.environ.get("REQUEST_BODY_SECONDS", "30"))
# Seconds in which a client must take some more of its response.
SEND_SECONDS = float(os.environ.get("RESPONSE_SEND_SECONDS", "30"))
# Per process. Beyond it, the client's oldest connection that waits for it is closed.
CONNECTIONS_PER_ADDRESS = int(os.environ.get("CONNECTIONS_PER_ADDRESS", "100"))
# Per process and for all clients; each may need a second file descriptor for a large body, and 1,024 are usual.
CONNECTIONS = 400
# What the trace store accepts; the review app accepts less. In bytes; name and default are those of Laminar's server.
BODY_BYTES = int(os.environ.get("HTTP_PAYLOAD_LIMIT", str(5 * 1024 * 1024)))
# A file of traces, sent to a path with this end: in bytes, and seconds to its end instead of BODY_SECONDS.
UPLOAD_BYTES = int(os.environ.get("UPLOAD_MAX_BYTES", str(100 * 1024 * 1024)))
UPLOAD_SECONDS = float(os.environ.get("UPLOAD_SECONDS", "600"))
UPLOAD_SUFFIX = "/uploads"
# Bodies and responses up to this size wait in memory, larger ones in a temporary file.
MEMORY_BYTES = 64 * 1024
# A response may wait in a temporary file up to this size; a longer one, an export, is produced as it is sent.
RESPONSE_BYTES = 64 * 1024 * 1024
# Seconds in which a client may still send what nobody reads before its connection is closed.
LINGER_SECONDS = 2.0
# Seconds after SIGTERM in which connections are still accepted: load balancers notice meanwhile that /ready fails.
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS", "3"))
# Paths that are answered by threads of their own, as many for each.
PROBE_PATHS = ("/health", "/healthz", "/ready", "/readyz")
PROBE_THREADS = 2
# Requests for paths with this end ask another server (Laminar) before they are answered. They have threads of their
# own, for each four of the others one that waits and one that refuses the rest, so that they never hold up a save.
OUTSIDE_SUFFIX = "/laminar/"
