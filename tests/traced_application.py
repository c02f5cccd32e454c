"""Example application traced with the official SDK. Arguments: `HOST PORT KEY`. Prints the id of its trace."""

import sys

from lmnr import Laminar, observe

host, port, key = sys.argv[1:4]
Laminar.initialize(project_api_key=key, base_url=f"http://{host}", http_port=int(port), force_http=True)


@observe(span_type="TOOL")
def lookup_order(order: str) -> dict[str, str]:
    return {"order": order, "status": "refund_pending"}


@observe(name="support-agent", metadata={"environment": "production", "channel": "chat"})
def answer(question: str) -> str:
    Laminar.set_trace_metadata({"environment": "production", "order": "4471"})
    sys.stdout.write(f"{Laminar.get_trace_id()}\n")
    lookup_order("4471")
    return "Your refund is on its way and arrives within 14 days."


answer("Where is my refund for order 4471?")
Laminar.flush()
