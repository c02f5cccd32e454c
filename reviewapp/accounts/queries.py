"""SQL by hand for accounts, each with its reason and what it was measured against.

Figures are the time of one call on SQLite, ORM against this, as `python -m benchmarks queries` measures them.
"""

# Every request of a signed-in person. ORM 0.28 ms, this 0.06 ms.
SESSION = "SELECT data, created_at, seen_at, confirmed_at FROM reviewapp_session WHERE digest = %s AND expires_at > %s"

# Every request of a signed-in person. ORM 0.28 ms, this 0.07 ms.
USER_BY_PK = "SELECT * FROM reviewapp_user WHERE id = %s"

# Every request of a project. Both with the ORM's join 0.53 ms, these 0.15 ms.
MEMBERSHIP_BY_SLUG = """
    SELECT m.* FROM reviewapp_membership m JOIN reviewapp_project p ON p.id = m.project_id
    WHERE p.slug = %s AND m.user_id = %s AND m.is_active
"""
PROJECT_BY_PK = "SELECT * FROM reviewapp_project WHERE id = %s"

# A failed sign-in. The ORM cannot add in an upsert, and in two statements two tries at the same time read one count.
COUNT_FAILURE = """
    INSERT INTO reviewapp_failedsignin AS f (subject, count, since) VALUES (%s, 1, %s)
    ON CONFLICT (subject) DO UPDATE SET
        count = CASE WHEN f.since <= %s THEN 1 ELSE f.count + 1 END,
        since = CASE WHEN f.since <= %s THEN excluded.since ELSE f.since END
    RETURNING count
"""
