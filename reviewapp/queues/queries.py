"""SQL by hand for queues, each with its reason and what it was measured against.

Figures are the time of one call on SQLite, ORM against this, as `python -m benchmarks queries` measures them.
"""

# Each next item asks for its queue. ORM 0.63 ms, this 0.10 ms.
QUEUE_BY_SLUG = "SELECT * FROM reviewapp_queue WHERE project_id = %s AND slug = %s"

# Every page of the workbench. Both with the ORM's join 0.74 ms, these 0.19 ms.
ITEM_OF_PROJECT = """
    SELECT i.* FROM reviewapp_queueitem i JOIN reviewapp_queue q ON q.id = i.queue_id
    WHERE q.project_id = %s AND i.id = %s
"""
QUEUE_BY_PK = "SELECT * FROM reviewapp_queue WHERE id = %s"

# Values: an item to exclude, the person, the time.
_PENDING = """i.state = 'pending' AND i.id <> %s
        AND (i.claimed_by_id IS NULL OR i.claimed_by_id = %s OR i.claimed_until <= %s)"""
# Values: the person.
_OWN = "EXISTS (SELECT 1 FROM reviewapp_assignment a WHERE a.item_id = i.id AND a.user_id = %s AND a.done_at IS NULL)"
# Items a person can claim that are not assigned to them: not those they skipped, nor those that others have yet to
# review beside them, nor those assigned to as many people as shall review them.
# Values: the queue, those of _PENDING, the person twice, reviewers per item, the person, who reviews, the person.
_FREE = f"""
    FROM reviewapp_queueitem i
    WHERE i.queue_id = %s AND {_PENDING}
        AND NOT EXISTS (SELECT 1 FROM reviewapp_pass p WHERE p.item_id = i.id AND p.user_id = %s)
        AND (i.review_count = 0 OR NOT EXISTS (
            SELECT 1 FROM reviewapp_review r WHERE r.item_id = i.id AND r.reviewer_id = %s AND r.is_latest))
        AND (i.assigned_count = 0
            OR i.assigned_count + i.review_count < COALESCE(i.reviews_required, %s) AND NOT {_OWN})
        AND (%s = 'anyone' OR EXISTS (
            SELECT 1 FROM reviewapp_queuereviewer n WHERE n.queue_id = i.queue_id AND n.user_id = %s))
"""  # noqa: S608
# Items assigned to a person that they have not skipped. Values: the queue, the person, those of _PENDING, the person.
_ASSIGNED = f"""
    FROM reviewapp_assignment a JOIN reviewapp_queueitem i ON i.id = a.item_id
    WHERE a.queue_id = %s AND a.user_id = %s AND a.done_at IS NULL AND {_PENDING}
        AND NOT EXISTS (SELECT 1 FROM reviewapp_pass p WHERE p.item_id = i.id AND p.user_id = %s)
"""  # noqa: S608
# The order of each: what is sent back comes before what is assigned.
_FREE_ORDER = "ORDER BY i.priority DESC, i.id"
_ASSIGNED_ORDER = "ORDER BY a.kind DESC, i.priority DESC, i.id"
# Items the person postponed, the longest ago first. Used when no other item remains.
# Values: the queue, those of _PENDING, the person twice.
_POSTPONED = f"""
    SELECT i.id FROM reviewapp_queueitem i JOIN reviewapp_pass p ON p.item_id = i.id
    WHERE i.queue_id = %s AND {_PENDING} AND p.user_id = %s AND p.kind = 'later'
        AND (i.assigned_count = 0 OR {_OWN})
    ORDER BY p.at, i.id LIMIT 1
"""  # noqa: S608
_CLAIM = "UPDATE reviewapp_queueitem SET claimed_by_id = %s, claimed_until = %s"

# The ORM cannot update the first row of an ordered query and return it. In one statement, no two people get the same
# item; SKIP LOCKED passes over an item being claimed right now. ORM in two statements 1.88 ms, this 0.17 ms.
CLAIM_FIRST = f"""
    {_CLAIM} WHERE id = COALESCE(
        (SELECT i.id {_ASSIGNED} {_ASSIGNED_ORDER} LIMIT 1 FOR UPDATE OF i SKIP LOCKED),
        (SELECT i.id {_FREE} {_FREE_ORDER} LIMIT 1 FOR UPDATE OF i SKIP LOCKED)
    ) RETURNING id
"""
CLAIM_POSTPONED = f"{_CLAIM} WHERE id = ({_POSTPONED} FOR UPDATE OF i SKIP LOCKED) RETURNING id"
# Waits for a lock: the person's own request, such as a draft's, may hold it, and the item is free all the same.
CLAIM_BY_PK = f"""
    {_CLAIM} WHERE id = COALESCE(
        (SELECT i.id {_ASSIGNED} AND i.id = %s FOR UPDATE OF i), (SELECT i.id {_FREE} AND i.id = %s FOR UPDATE OF i))
"""

FIRST_POSTPONED = _POSTPONED

# The same condition as the claim, so that what is prefetched is what will be claimed. ORM 1.50 ms, this 0.06 ms.
UPCOMING = f"""
    SELECT id FROM (
        SELECT * FROM (SELECT i.id, a.kind, i.priority {_ASSIGNED} {_ASSIGNED_ORDER} LIMIT %s) AS assigned_items
        UNION ALL SELECT * FROM (SELECT i.id, '' AS kind, i.priority {_FREE} {_FREE_ORDER} LIMIT %s) AS free_items
    ) AS items ORDER BY kind DESC, priority DESC, id LIMIT %s
"""  # noqa: S608

# Part of every save. The trace is compared because an item of a session moves on to newer traces. ORM 0.49 ms, this
# 0.14 ms.
COMPLETE = """
    UPDATE reviewapp_queueitem
    SET version = version + 1, state = %s, completed_at = %s, changed_at = %s, review_count = %s,
        claimed_by_id = NULL, claimed_until = NULL
    WHERE id = %s AND version = %s AND trace_id = %s RETURNING assigned_count
"""

# Part of every save where several people review an item; it locks the item until the save is committed. A colleague's
# claim stays: they have it open. The ORM does not return the new version.
ADD_REVISION = """
    UPDATE reviewapp_queueitem
    SET version = version + 1, claimed_by_id = CASE WHEN claimed_by_id = %s THEN NULL ELSE claimed_by_id END
    WHERE id = %s AND trace_id = %s RETURNING version, assigned_count
"""

# Every page of an item that several people review: the number of the person's newest revision, undone ones included.
OWN_VERSION = "SELECT MAX(revision) FROM reviewapp_review WHERE item_id = %s AND reviewer_id = %s"

# Every page of the workbench. ORM 0.42 ms, this 0.06 ms.
COUNT_BY_STATE = "SELECT state, COUNT(*) FROM reviewapp_queueitem WHERE queue_id = %s GROUP BY state"

# Every next item asks first for one that the person has claimed already, unless something is sent back to them.
# ORM 0.93 ms, this 0.12 ms.
CLAIMED_BY_USER = """
    SELECT * FROM reviewapp_queueitem
    WHERE queue_id = %s AND claimed_by_id = %s AND state = 'pending' AND claimed_until > %s
        AND NOT EXISTS (
            SELECT 1 FROM reviewapp_assignment a
            WHERE a.queue_id = %s AND a.user_id = %s AND a.done_at IS NULL AND a.kind = 'sent-back')
    ORDER BY priority DESC, id LIMIT 1
"""
