"""SQL by hand for reviews, each with its reason and what it was measured against.

Figures are the time of one call on SQLite, ORM against this, as `python -m benchmarks queries` measures them.
"""

# Part of every save. With the patch inserted before it by the ORM: ORM 0.77 ms, this 0.57 ms.
INSERT_REVIEW = """
    INSERT INTO reviewapp_review
        (item_id, queue_id, revision, is_latest, reviewer_id, score, notes, needs_review, is_unsure, keeps_notes_here,
        answers, unpushed_keys, rubric_version, patch_id, submitted_at, client_id, before, active_seconds)
    VALUES (%s, %s, %s, TRUE, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
"""

# The newest revision, which another one replaces. In one statement: a save has enough of them.
REPLACE_LATEST = """
    UPDATE reviewapp_review SET is_latest = FALSE
    WHERE item_id = %s AND is_latest AND (reviewer_id = %s OR %s) RETURNING *
"""

# Part of every save. The ORM's upsert can only replace values, not add to them.
COUNT_REVIEWS = (
    "INSERT INTO reviewapp_reviewcount"
    " (queue_id, reviewer_id, kind, value, reviews, flagged, unsure, timed, active_seconds)"
)
ADD_COUNTS = """
    ON CONFLICT (queue_id, reviewer_id, kind, value) DO UPDATE SET
        reviews = reviewapp_reviewcount.reviews + excluded.reviews,
        flagged = reviewapp_reviewcount.flagged + excluded.flagged,
        unsure = reviewapp_reviewcount.unsure + excluded.unsure,
        timed = reviewapp_reviewcount.timed + excluded.timed,
        active_seconds = reviewapp_reviewcount.active_seconds + excluded.active_seconds
"""

_STATUS = """
    CASE i.state
        WHEN 'skipped' THEN 'skipped'
        WHEN 'completed' THEN CASE WHEN EXISTS (
            SELECT 1 FROM reviewapp_review r WHERE r.item_id = i.id AND r.is_latest AND r.needs_review
        ) THEN 'flagged' ELSE 'reviewed' END
        ELSE CASE WHEN i.review_count > 0 AND EXISTS (
            SELECT 1 FROM reviewapp_review r WHERE r.item_id = i.id AND r.is_latest AND r.reviewer_id = %s
        ) THEN 'reviewed' WHEN i.claimed_by_id <> %s AND i.claimed_until > %s THEN 'with-others' ELSE COALESCE((
            SELECT CASE p.kind WHEN 'later' THEN 'later' ELSE 'left' END FROM reviewapp_pass p
            WHERE p.item_id = i.id AND p.user_id = %s
        ), 'to-come') END
    END
"""
# The four index ranges around an item, as (condition, order): nearest first.
RANGES = (
    ("i.priority = %s AND i.id < %s", "i.id DESC"),
    ("i.priority > %s AND i.id > 0 * %s", "i.priority, i.id DESC"),
    ("i.priority = %s AND i.id >= %s", "i.id"),
    ("i.priority < %s AND i.id > 0 * %s", "i.priority DESC, i.id"),
)
# The rail links at most this many items on either side of the current one.
MAX_NEIGHBOURS = 24
# Every page of the workbench. One statement reads each range from the item outwards, so that a queue of many thousand
# items costs as much as a short one; the ORM's unions cannot be limited part by part on SQLite.
NEIGHBOURS = " UNION ALL ".join(
    f"SELECT * FROM (SELECT i.id AS id, i.priority AS priority, {_STATUS} AS status FROM reviewapp_queueitem i "  # noqa: S608
    f"WHERE i.queue_id = %s AND {condition} ORDER BY {order} LIMIT {MAX_NEIGHBOURS + 1}) AS range_{number}"
    for number, (condition, order) in enumerate(RANGES)
)
# The rail of a queue of up to some hundred items, and of every n-th item of a longer one. The status subqueries of the
# ORM take five times as long to compose as these take to run.
STATUSES = f"""
    SELECT i.id AS id, i.priority AS priority, {_STATUS} AS status FROM reviewapp_queueitem i
    WHERE i.queue_id = %s AND i.id %% %s = 0 ORDER BY i.priority DESC, i.id
"""  # noqa: S608
# Two counts that an index answers. ORM in two statements 0.76 ms, this 0.04 ms.
POSITION = """
    SELECT (SELECT COUNT(*) FROM reviewapp_queueitem WHERE queue_id = %s AND priority = %s AND id < %s)
        + (SELECT COUNT(*) FROM reviewapp_queueitem WHERE queue_id = %s AND priority > %s)
"""

# Every page of the workbench. ORM 0.47 ms, this 0.04 ms.
DRAFT_OF_USER = "SELECT * FROM reviewapp_draft WHERE item_id = %s AND user_id = %s"

# Part of every save. ORM 0.40 ms, this 0.09 ms, on a busy machine.
DELETE_DRAFT = "DELETE FROM reviewapp_draft WHERE item_id = %s AND user_id = %s"
