"""Correct what was scheduled while the database's clock was ahead, once it was set back."""

import logging

from django.db import transaction

from reviewapp.delivery import clock_skew
from reviewapp.queues import claiming
from reviewapp.queues.rules import runner
from reviewapp.traces.sync import pull
from reviewapp.webhooks import leasing as webhook_leasing

log = logging.getLogger(__name__)


def correct_times() -> int:
    """Bring forward deliveries, and, if the clock was set back, pulls, claims and rules. Returns the rows changed."""
    set_back = clock_skew.find_set_back()
    if set_back is not None:
        with transaction.atomic():
            # Whoever corrects the heartbeats, and nobody else, corrects the rest.
            if clock_skew.correct_heartbeats():
                log.warning("The database's clock was set back by %s; due times are corrected", set_back)
                clock_skew.bring_forward(set_back)
                pull.bring_forward(set_back)
                webhook_leasing.bring_forward(set_back)
                claiming.shorten_claims()
                runner.rescan_from_now()
    return clock_skew.correct_future_due_times()
