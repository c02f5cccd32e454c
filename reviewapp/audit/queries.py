"""SQL by hand for the audit log, each with its reason and what it was measured against.

Figures are the time of one call on SQLite, ORM against this, as `python -m benchmarks queries` measures them.
"""

# Part of every save. The ORM cannot update a row and return it: the update locks the chain and reads its end at once.
# ORM in two statements 0.72 ms, this 0.12 ms.
ADVANCE_HEAD = "UPDATE reviewapp_audithead SET seq = seq + 1 WHERE project_id = %s RETURNING digest, seq"
# Part of every save. ORM 0.27 ms, this 0.10 ms; ORM 0.29 ms, this 0.13 ms.
SET_HEAD_DIGEST = "UPDATE reviewapp_audithead SET digest = %s WHERE project_id = %s"
INSERT_EVENT = """
    INSERT INTO reviewapp_auditevent
        (project_id, seq, at, actor_id, actor_name, verb, target, detail, digest, seal, sealed_actor)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
