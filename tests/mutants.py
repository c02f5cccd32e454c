"""Change the code in small ways, and report each change that no test notices: `make mutants`.

Cosmic Ray makes the changes (mutants) in a copy of the tree, one at a time. The results are in a session file for each
area, so that a run that was stopped continues; what survived is tested again, by the tests as they are now.
"""

import argparse
import ast
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import MutationVisitor, mutate_and_test
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkItem

from tests.tracestore_server import ROOT

FOLDER = ROOT / ".mutants"
TREE = FOLDER / "tree"
DATA = FOLDER / "data"
# A database that is made once and copied for each mutant.
DATABASE = FOLDER / "test.sqlite3"
TESTS = "not slow and not fuzz and not faults and not browser and not postgres"
PYTEST = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", "--reuse-db", "-m", TESTS]
# Far above what the tests of an area need: a mutant is killed by a test, not by a slow machine.
TIMEOUT_SECONDS = 1_200
# One replacement for each operator is enough; a + b is not also made a - b, a * b, a >> b and so on.
REPLACED_ONCE = ("core/ReplaceBinaryOperator_", "core/ReplaceComparisonOperator_", "core/ReplaceUnaryOperator_")
REPLACEMENTS = set(
    "Add_Sub Sub_Add Mul_Div Div_Mul FloorDiv_Mul Mod_Mul Pow_Mul BitOr_BitAnd BitAnd_BitOr LShift_RShift "
    "RShift_LShift Eq_NotEq NotEq_Eq Lt_LtE LtE_Lt Gt_GtE GtE_Gt Is_IsNot IsNot_Is In_NotIn NotIn_In Delete_Not "
    "USub_UAdd".split()
)


@dataclass(frozen=True, slots=True)
class Area:
    """Files or folders of code, and those of the tests that must notice a change in them."""

    code: tuple[str, ...]
    tests: tuple[str, ...]

    @property
    def modules(self) -> list[Path]:
        paths = [TREE / path for path in self.code]
        modules = [module for path in paths for module in ([path] if path.is_file() else sorted(path.rglob("*.py")))]
        return [module.relative_to(TREE) for module in modules if module.stat().st_size]

    def make_command(self, module: str) -> list[str]:
        """Returns the command that runs the tests, those that are named for the module first."""
        name = f"test_{Path(module).stem}.py"
        first = [f"{folder}/{name}" for folder in self.tests if (TREE / folder / name).exists()]
        return [*PYTEST, *first, *self.tests]


AREAS = {
    "delivery": Area(("reviewapp/delivery",), ("tests/delivery", "tests/worker")),
    "keys": Area(("reviewapp/keys",), ("tests/keys", "tests/api")),
    "audit": Area(("reviewapp/audit",), ("tests/audit",)),
    "claiming": Area(
        ("reviewapp/queues/claiming.py", "reviewapp/queues/queries.py"), ("tests/queues", "tests/reviews")
    ),
    "submitting": Area(("reviewapp/reviews/submitting.py",), ("tests/reviews",)),
    "index": Area(("reviewapp/traces/metadata",), ("tests/traces",)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="area", help=f"default: {', '.join(AREAS)}")
    parser.add_argument("--sample", type=int, default=30, help="mutants of each area (default: 30)")
    parser.add_argument("--all", action="store_true", help="every mutant; takes days")
    parser.add_argument("--minutes", type=float, default=120, help="stop after so long; the next run continues")
    options = parser.parse_args()
    end = time.monotonic() + options.minutes * 60
    copy_tree()
    for name in options.areas or AREAS:
        with use_db(open_session(name)) as session:
            run_area(AREAS[name], session, None if options.all else options.sample, end)
            report(name, session)


def copy_tree() -> None:
    """Copy the tree, so that nothing in it ever has a mutant, and make the database."""
    shutil.rmtree(TREE, ignore_errors=True)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in filter(None, subprocess.check_output(listed, cwd=ROOT, text=True).split("\0")):
        if (ROOT / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, TREE / name)
    os.chdir(TREE)
    # The tests start programs of their own, which must not find the code of the tree.
    os.environ |= {"TEST_DATA_DIR": str(DATA), "PYTHONPATH": str(TREE)}
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir()
    subprocess.run([*PYTEST, "--create-db", "tests/audit/test_recording.py"], cwd=TREE, check=True)
    shutil.copy(DATA / DATABASE.name, DATABASE)


def open_session(name: str) -> Path:
    """Returns the session file for the code as it is, filled with all its mutants."""
    modules = AREAS[name].modules
    digest = hashlib.sha256(b"".join(module.read_bytes() for module in modules)).hexdigest()
    path = FOLDER / f"{name}-{digest[:12]}.sqlite3"
    if not path.exists():
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        with use_db(unfinished) as session:
            init(modules, session, {})
        unfinished.rename(path)
    return path


def run_area(area: Area, session: WorkDB, sample: int | None, end: float) -> None:
    """Test the mutants that have no result yet, or survived, until `end` by the monotonic clock."""
    mutants = islice(filter(is_worthwhile, sorted(session.work_items, key=_order)), sample)
    outcomes = {job: result.test_outcome for job, result in session.results}
    for item in mutants:
        if outcomes.get(item.job_id) not in (None, TestOutcome.SURVIVED) or time.monotonic() > end:
            continue
        shutil.rmtree(DATA)
        DATA.mkdir()
        shutil.copy(DATABASE, DATA)
        command = area.make_command(str(item.mutations[0].module_path))
        result = mutate_and_test(item.mutations, _quote(command), TIMEOUT_SECONDS)
        session.set_result(item.job_id, result)
        sys.stdout.write(f"{_describe(item.mutations[0])}: {result.test_outcome}\n")
        sys.stdout.flush()


def is_worthwhile(item: WorkItem) -> bool:
    """Whether it is one replacement of an operator, and changes more than an annotation."""
    (mutation,) = item.mutations
    prefix, _, change = mutation.operator_name.partition("Operator_")
    if f"{prefix}Operator_" in REPLACED_ONCE and change not in REPLACEMENTS:
        return False
    code = Path(mutation.module_path).read_text()
    mutated = MutationVisitor.mutate_code(code, get_operator(mutation.operator_name)(), mutation.occurrence)
    try:
        return mutated is not None and _without_annotations(mutated) != _without_annotations(code)
    except SyntaxError:
        return False


def report(name: str, session: WorkDB) -> None:
    completed = session.completed_work_items
    survivors = [result for _, result in completed if result.test_outcome == TestOutcome.SURVIVED]
    sys.stdout.write(f"{name}: {len(completed)} mutants tested, {len(survivors)} survived.\n")
    for result in survivors:
        sys.stdout.write(f"{result.diff}\n")


def _without_annotations(code: str) -> str:
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
    return ast.dump(tree)


def _order(item: WorkItem) -> str:
    """An order that is random, and the same in each run."""
    return hashlib.sha256(_describe(item.mutations[0]).encode()).hexdigest()


def _describe(mutation: MutationSpec) -> str:
    row, column = mutation.start_pos
    return f"{mutation.module_path}:{row}:{column} {mutation.operator_name} {mutation.occurrence}"


def _quote(command: list[str]) -> str:
    return " ".join(f"'{part}'" if " " in part else part for part in command)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
