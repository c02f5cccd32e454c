"""Coding help, and an agent that edits code."""

from reviewapp.demo.scenario import Call, Fetch, Say, Scenario, User, Variation

MENTOR = (
    "You help programmers. Show the smallest change that works, then say why. Code in fenced blocks with a language."
)


def order_is_lost(case: Variation) -> Scenario:
    is_wrong = case.outcome("right", "claims") == "claims"
    claim = (
        "`set` keeps insertion order since Python 3.7, so" if is_wrong else "`dict` keeps insertion order since 3.7, so"
    )
    code = "return list(set(rows))" if is_wrong else "return list(dict.fromkeys(rows))"
    return Scenario(
        agent="code-help",
        provider_format="anthropic",
        model="claude-sonnet-4-5",
        system=MENTOR,
        steps=(
            User(
                "My rows come out in a different order each time:\n\n```python\ndef unique(rows):\n"
                "    return list(set(rows))\n```\nHow do I drop duplicates and keep the first of each?"
            ),
            Say(
                f"```python\ndef unique(rows: list[str]) -> list[str]:\n    {code}\n```\n\n"
                f"{claim} the first of each stays where it was, and the whole thing is linear in the number of rows. "
                "The rows have to be hashable; for lists or dicts as rows, keep a `seen` set of a key instead.",
                thinking="They want stable de-duplication. Mention hashability.",
            ),
        ),
        tags=("python",),
        metadata={"language": "python", "editor": "vscode"},
    )


def rebase_rescue(case: Variation) -> Scenario:
    return Scenario(
        agent="code-help",
        provider_format="responses",
        model="o4-mini",
        system=MENTOR,
        steps=(
            User(
                "I rebased onto the wrong branch and force pushed. Three commits of mine are gone. Please tell me "
                "git kept them"
            ),
            Say(
                "Git kept them. Find the branch as it was before the rebase, then point a new branch at it:\n\n"
                "```console\n$ git reflog show feature/export\n4e1c0aa feature/export@{0}: rebase (finish)\n"
                "b7d9f32 feature/export@{1}: commit: Export as CSV\n$ git branch rescue b7d9f32\n```\n\n"
                "Look at `git log --oneline rescue`: your three commits should be on top. When they are, rebase "
                "again, onto the right branch this time:\n\n```console\n$ git switch rescue\n$ git rebase main\n"
                "```\n\nBefore you push, tell your team: anyone who pulled in between has the wrong history. "
                "`--force-with-lease` would have stopped the first push if somebody else had pushed before you.",
                thinking="Commits unreachable but in reflog for 90 days. Steps: reflog, branch, rebase, push.",
            ),
        ),
        tags=("git",),
        metadata={"language": "shell", "editor": "terminal"},
    )


def unsafe_query(case: Variation) -> Scenario:
    return Scenario(
        agent="pr-reviewer",
        provider_format="openai",
        model="gpt-4.1",
        system="You review a diff. Report at most three findings, the worst first, each with file, line and a fix.",
        steps=(
            Fetch("load_diff", {"repository": "shop-api", "pull": 812}, {"files": 2, "additions": 41, "deletions": 6}),
            User(
                "```diff\n--- a/api/search.py\n+++ b/api/search.py\n@@ -14,6 +14,11 @@\n"
                '+def search(term: str, sort: str):\n+    sql = f"SELECT id, name FROM product WHERE name ILIKE '
                "'%{term}%' ORDER BY {sort}\"\n+    return db.execute(sql).fetchall()\n```"
            ),
            Say(
                "**1. SQL injection, `api/search.py:15`** (must fix). `term` and `sort` go into the statement as "
                "text: `term=%' UNION SELECT id, password FROM account --` reads the account table.\n\n"
                '```python\nSORTS = {"name": "name", "newest": "created_at DESC"}\n\n'
                "def search(term: str, sort: str):\n"
                '    sql = f"SELECT id, name FROM product WHERE name ILIKE %s ORDER BY {SORTS[sort]}"\n'
                '    return db.execute(sql, [f"%{term}%"]).fetchall()\n```\n\n'
                "**2. No limit, `api/search.py:16`.** An empty term returns every product; add `LIMIT 50`.\n\n"
                "**3. No test.** One for a term with a quote and one for an unknown `sort` would have caught both."
            ),
        ),
        input={"repository": "shop-api", "pull": 812, "author": "mkaya"},
        tags=("review", "security"),
        metadata={"language": "python", "repository": "shop-api"},
    )


def typescript_narrowing(case: Variation) -> Scenario:
    return Scenario(
        agent="code-help",
        provider_format="vercel",
        model="gpt-4o",
        system=MENTOR,
        history=(
            User("ts says Property 'message' does not exist on type 'unknown' in my catch block"),
            Say(
                "Since TypeScript 4.4 a caught value is `unknown`. Check it with `instanceof Error` before you read it."
            ),
        ),
        steps=(
            User("ok but axios errors have response.data.detail, I want that if its there, else message"),
            Say(
                '```ts\nimport { isAxiosError } from "axios";\n\nexport function reason(error: unknown): string {\n'
                "  if (isAxiosError<{ detail?: string }>(error)) {\n    return error.response?.data?.detail ?? "
                "error.message;\n  }\n  return error instanceof Error ? error.message : String(error);\n}\n```\n\n"
                "`isAxiosError` is a type guard, so inside the block `response` is known and optional. The last line "
                "is for the odd library that throws a string."
            ),
        ),
        tags=("typescript",),
        metadata={"language": "typescript", "editor": "webstorm"},
    )


def circling_agent(case: Variation) -> Scenario:
    """An agent that reads the same file again and again until it runs out of steps."""
    path = "src/pricing/discount.py"
    source = "def discount(total, tier):\n    if tier is 'gold':\n        return total * 0.9\n    return total\n"
    test_output = "FAILED tests/test_discount.py::test_gold - assert 100 == 90.0\n1 failed, 7 passed in 0.41s"
    read_again = Call("read_file", {"path": path}, source, words="Let me look at the file again to be sure.")
    run_tests = Call("run_tests", {"path": "tests/test_discount.py"}, test_output, seconds=3.4)
    return Scenario(
        agent="fix-agent",
        provider_format="openai",
        model="gpt-4o-mini",
        system="You fix one failing test. Read, edit, run the tests, and stop when they pass. You have 12 steps.",
        steps=(
            User("tests/test_discount.py::test_gold fails on main since this morning."),
            Call("read_file", {"path": path}, source),
            *((run_tests, read_again) * 5),
            run_tests,
        ),
        error=("StepLimitReached", "The agent used its 12 steps and the test still fails"),
        tags=("agent", "loop"),
        metadata={"language": "python", "repository": "shop-api", "max_steps": 12},
    )


def fixing_agent(case: Variation) -> Scenario:
    path = "src/pricing/discount.py"
    source = "def discount(total, tier):\n    if tier is 'gold':\n        return total * 0.9\n    return total\n"
    return Scenario(
        agent="fix-agent",
        provider_format="anthropic",
        model="claude-sonnet-4-5",
        system="You fix one failing test. Read, edit, run the tests, and stop when they pass. You have 12 steps.",
        steps=(
            User("tests/test_discount.py::test_gold fails on main since this morning."),
            Call("run_tests", {"path": "tests/test_discount.py"}, "1 failed, 7 passed in 0.40s", seconds=3.1),
            Call(
                "read_file",
                {"path": path},
                source,
                thinking="`is` compares identity; the tier comes from JSON, so it is another string object.",
            ),
            Call(
                "edit_file",
                {"path": path, "old": "tier is 'gold'", "new": "tier == 'gold'"},
                "1 replacement",
                words="The comparison uses `is`; it worked only while the text was a literal.",
            ),
            Call("run_tests", {"path": "tests/test_discount.py"}, "8 passed in 0.38s", seconds=3.0),
            Say(
                "Fixed in `src/pricing/discount.py`: the tier was compared with `is`, which asks whether two texts "
                "are the same object. Since this morning's change the tier comes out of JSON and is another object, "
                "so gold customers paid full price. It is `==` now; all 8 tests pass."
            ),
        ),
        tags=("agent",),
        metadata={"language": "python", "repository": "shop-api", "max_steps": 12},
    )
