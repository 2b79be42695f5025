"""Mutants of all code that ships, drawn with a seed: does a test fail for each?

    pip install --target SOMEWHERE coverage
    PYTHONPATH=SOMEWHERE python tests/mutation/mutate.py --seed 1 --count 100 --state FOLDER

Each mutant is one small, real slip (see mutants.py) on a line drawn at random, tried in a copy of
the checkout. The first command with a state folder runs the whole suite once under coverage, to
learn which tests run which lines; the same folder serves later draws, and only test files that
have changed, or run a file that has, are traced anew. A mutant is then given the tests that run its
line, those nearest to it first, until one fails. A line that no test runs directly (what numba
compiles; what stands at a module's level) is given those that run a line which names what it
defines.

What was tried stands in FOLDER/tried.jsonl: the same command goes on where it ended, and
`--again survived` tries survivors anew, after tests were added. Exit code 0 unless one survived.
"""

from __future__ import annotations

import argparse
import ast
import collections
import contextlib
import difflib
import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

from mutants import Mutant, draw, lines_naming

ROOT = Path(__file__).resolve().parents[2]
BATCH = 12
"""Test files that are traced together, so that little is lost where that is interrupted."""
FOLDERS = ("sambench", "model", "tasks", "datasets")
JSON = dict[str, Any]
CONFIGURATION = """[run]
include =
{include}
data_file = {data}
parallel = true
context = ${{MUTATION_CONTEXT-}}
"""


@dataclass
class Map:
    """Which tests run which lines.

    Attributes:
        seconds: test -> how long it takes.
        fixtures: test -> the fixtures of wider scope that it uses.
        lines: file -> line -> contexts (tests and fixtures) that run it, of functions' lines.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    fixtures: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, dict[int, set[str]]] = field(default_factory=dict)

    def tests(self, contexts: set[str]) -> set[str]:
        """The tests among contexts, and those that use a fixture among them."""
        direct = contexts & self.seconds.keys()
        shared = contexts - direct
        return direct | {test for test, used in self.fixtures.items() if shared.intersection(used)}


def checkout(to: Path) -> Path:
    """A copy of the checkout without what git ignores; data that lie beside it are linked."""
    listed = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
    tree = to / "tree"
    shutil.rmtree(to, ignore_errors=True)
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    with contextlib.suppress(StopIteration):
        beside = next(path for path in ROOT.parent.glob("shared") if path.is_dir())
        (to / beside.name).symlink_to(beside)
    return tree


@functools.cache
def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pytest(
    tree: Path, words: Sequence[str], seconds: float | None, **environment: str
) -> tuple[int | None, str]:
    """Run pytest in a checkout: exit code (None: out of time) and what it printed."""
    path = [str(tree), environment.pop("path"), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **environment}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    command = [sys.executable, "-m", "pytest", "-p", "mutation_plugin", "-p", "no:cacheprovider"]
    process = subprocess.Popen(
        [*command, "-q", "--tb=line", *words], cwd=tree, env=env, text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        text = process.communicate(timeout=seconds)[0]
        return process.returncode, text
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


# The map.


def build_map(state: Path, jobs: int, *, keep: bool) -> Map:
    """Trace the test files whose trace is missing or stale; read all traces.

    Args:
        state: folder of the traces.
        jobs: processes.
        keep: trace nothing: use what is there, without the lines of files that have changed.
    """
    wanted = {
        path.relative_to(ROOT).as_posix(): state / "traces" / f"{digest(path)[:16]}.json"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
    }
    missing = [test for test, trace in wanted.items() if not _is_fresh(trace)]
    if not keep:
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            print(f"tracing {start + len(batch)} of {len(missing)} test files", flush=True)
            for test, trace in _traced(state, batch, jobs).items():
                write_trace(wanted[test], trace)
    found = Map()
    for trace in filter(Path.exists, wanted.values()):
        _add(found, json.loads(trace.read_text()))
    return found


def write_trace(path: Path, trace: JSON) -> None:
    """Keep a trace, with the content of the files that it is of."""
    sources = {file: digest(ROOT / file) for file in trace["lines"] if (ROOT / file).exists()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**trace, "sources": sources}))


def _is_fresh(trace: Path) -> bool:
    return trace.exists() and all(
        (ROOT / file).exists() and digest(ROOT / file) == content
        for file, content in json.loads(trace.read_text())["sources"].items()
    )


def _add(found: Map, trace: JSON) -> None:
    """Add the tests of a trace that passed, and their lines of files that are as they were."""
    for line in trace["tests"]:
        if set(line["outcomes"]) == {"passed"}:
            found.seconds[line["test"]] = line["seconds"]
            found.fixtures[line["test"]] = line["fixtures"]
    for file, lines in trace["lines"].items():
        if not file.endswith(".py"):  # templates are traced too, as what they are compiled to
            continue
        if not (ROOT / file).exists() or digest(ROOT / file) != trace["sources"].get(file):
            continue
        for number in _in_functions(file).intersection(map(int, lines)):
            all_of = found.lines.setdefault(file, {}).setdefault(number, set())
            all_of.update(trace["contexts"][context] for context in lines[str(number)])


@functools.cache
def _in_functions(file: str) -> set[int]:
    """Lines of functions' bodies: the others run when a module is imported, by whatever test."""
    functions = (
        node
        for node in ast.walk(ast.parse((ROOT / file).read_text()))
        if isinstance(node, ast.FunctionDef)
    )
    return {
        line
        for node in functions
        for line in range(node.body[0].lineno, (node.end_lineno or 0) + 1)
    }


def _traced(state: Path, tests: Sequence[str], jobs: int) -> dict[str, JSON]:
    """Run test files under coverage: what each test ran, by test file."""
    place = state / "tracing"
    tree = checkout(place)
    (place / "coverage").mkdir()
    listing, settings = place / "tests.jsonl", place / "coveragerc"
    include = "\n".join(f"  {tree / folder}/*" for folder in FOLDERS)
    settings.write_text(CONFIGURATION.format(include=include, data=place / "coverage" / "data"))
    code, text = pytest(
        tree, ["-n", str(jobs), "--dist", "loadfile", *tests], None, path=_hooks(state),
        COVERAGE_PROCESS_START=str(settings), MUTATION_CONTEXT="", MUTATION_TRACE=str(listing),
        NUMBA_CACHE_DIR=str(state / "numba"),
    )  # fmt: skip
    print(text[-3000:] if code else text.splitlines()[-1], flush=True)
    return read_traces(tree, place, tests)


def read_traces(tree: Path, place: Path, tests: Sequence[str]) -> dict[str, JSON]:
    """What a traced suite left: tests, and lines by context, for each test file."""
    found: dict[str, JSON] = {t: {"tests": [], "contexts": [], "lines": {}} for t in tests}
    for text in (place / "tests.jsonl").read_text().splitlines():
        line = json.loads(text)
        found[line["test"].partition("::")[0]]["tests"].append(line)
    users: dict[str, set[str]] = collections.defaultdict(set)
    for test, trace in found.items():
        for line in trace["tests"]:
            for context in [line["test"], *line["fixtures"]]:
                users[context].add(test)
    for file, number, context in _covered(tree, place / "coverage"):
        for test in users.get(context, ()):
            lines = found[test]["lines"].setdefault(file, {})
            lines.setdefault(str(number), set()).add(context)
    for trace in found.values():
        sets = [contexts for lines in trace["lines"].values() for contexts in lines.values()]
        trace["contexts"] = sorted(set().union(*sets))
        index = {name: number for number, name in enumerate(trace["contexts"])}
        for lines in trace["lines"].values():
            lines.update({n: sorted(index[name] for name in names) for n, names in lines.items()})
    return found


def _covered(tree: Path, folder: Path) -> Iterator[tuple[str, int, str]]:
    """File, line and context of everything that coverage saw."""
    import coverage

    for path in folder.iterdir():
        data = coverage.CoverageData(str(path))
        try:
            data.read()
        except coverage.CoverageException:  # of a process that a test killed
            continue
        for name in data.measured_files():
            file = Path(name).relative_to(tree).as_posix()
            for number, contexts in data.contexts_by_lineno(name).items():
                for context in contexts:
                    yield file, number, context


def _hooks(state: Path) -> str:
    """A folder for PYTHONPATH: the plug-in, and coverage in every process that is started."""
    folder = state / "hooks"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy2(Path(__file__).with_name("plugin.py"), folder / "mutation_plugin.py")
    start = "import os\nif 'COVERAGE_PROCESS_START' in os.environ:\n"
    start += "    import coverage\n    coverage.process_startup()\n"
    (folder / "sitecustomize.py").write_text(start)
    return str(folder)


# Which tests a mutant is given.


class Choice:
    """Chooses the tests for a mutant."""

    def __init__(self, known: Map, budget: float) -> None:
        self._map = known
        self._budget = budget
        self._sources = {
            file: (ROOT / file).read_text() for file in known.lines if (ROOT / file).exists()
        }

    def tests(self, mutant: Mutant) -> list[str]:
        """Those that run the line, or else what names it; then others of the file."""
        lines = self._map.lines.get(mutant.file, {})
        exact = self._map.tests(self._running(mutant)) if mutant.function else set()
        named = set() if exact else self._naming(mutant)
        ordered = self._ordered(exact or named, mutant)
        rest = self._map.tests(set().union(*lines.values())) - exact - named
        if not (ordered or rest):
            rest = set(self._map.seconds)
        chosen, spent = [], 0.0
        for test in [*ordered, *self._ordered(rest, mutant)]:
            if self._map.seconds[test] > self._budget / 2 and chosen:
                continue
            spent += self._map.seconds[test] + 0.01
            if spent > self._budget * (1 if test in exact or test in named else 0.5):
                break
            chosen.append(test)
        return chosen

    def _running(self, mutant: Mutant) -> set[str]:
        """Contexts of the line; of the nearest before it in its function; or of all of that."""
        lines = self._map.lines.get(mutant.file, {})
        body = function_at(ast.parse((ROOT / mutant.file).read_text()), mutant.line)[1]
        before = [n for n in body if n <= mutant.line and n in lines]
        if before:
            return lines[max(before)]
        return set().union(*(lines.get(n, set()) for n in body))

    def _naming(self, mutant: Mutant) -> set[str]:
        names = {*mutant.names, mutant.function} - {""}
        contexts: set[str] = set()
        for _ in range(3):  # a name may be used in a kernel, which only its callers run
            callers = set()
            for file, text in self._sources.items():
                if not any(name in text for name in names):
                    continue
                for number in set(lines_naming(text, names)):
                    contexts |= self._map.lines[file].get(number, set())
                    callers.add(function_at(ast.parse(text), number)[0])
            if self._map.tests(contexts) or callers <= names | {""}:
                break
            names |= callers - {""}
        return self._map.tests(contexts)

    def _ordered(self, tests: set[str], mutant: Mutant) -> list[str]:
        """By file, to set each file's fixtures up once: the nearest, then the quickest first."""
        words = set(Path(mutant.file).with_suffix("").parts) - {"sambench"}
        by_file = collections.defaultdict(list)
        for test in tests:
            by_file[test.partition("::")[0]].append(test)

        def place(file: str) -> tuple[int, float]:
            near = len(words & set(Path(file.replace("test_", "")).with_suffix("").parts))
            return -near, sum(self._map.seconds[t] for t in by_file[file]) / len(by_file[file])

        seconds = self._map.seconds
        return [
            test
            for file in sorted(by_file, key=place)
            for test in sorted(by_file[file], key=lambda t: (seconds[t], t))
        ]


def function_at(tree: ast.Module, line: int) -> tuple[str, range]:
    """The innermost function around a line: its name, and the lines of its body."""
    name, body = "", range(0)
    for node in ast.walk(tree):
        inside = isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or 0)
        if inside:
            name, body = node.name, range(node.body[0].lineno, (node.end_lineno or 0) + 1)
    return name, body


# Trying.


@dataclass(frozen=True)
class Bench:
    """A copy of the checkout in which mutants are tried one after another."""

    tree: Path
    numba: Path
    state: Path
    limit: float

    def try_out(self, mutant: Mutant, tests: Sequence[str], seconds: float) -> tuple[str, str]:
        """Whether a mutant was killed, and by which test."""
        if not tests:
            return "survived", "no test runs it"
        file = self.tree / mutant.file
        whole = file.read_bytes()
        chosen = self.tree.parent / "chosen"
        chosen.write_text("\n".join(tests))
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        cache = self.numba
        if compiled(self.numba, mutant):  # kernels that call a changed one would stay as they were
            cache = self.tree.parent / "numba"
            shutil.rmtree(cache, ignore_errors=True)
        file.write_text(mutant.text)
        try:
            code, text = pytest(
                self.tree, ["-x", *files], min(self.limit, 60 + 4 * seconds),
                path=str(self.state / "hooks"), MUTATION_TESTS=str(chosen),
                NUMBA_CACHE_DIR=str(cache),
            )  # fmt: skip
        finally:
            file.write_bytes(whole)
        if code is None:
            return "killed", "out of time"
        if code in (0, 5):
            return "survived", "all of its tests pass"
        failed = [line for line in text.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return "killed", failed[0][:300] if failed else f"exit {code}: {text[-300:]}"


def compiled(cache: Path, mutant: Mutant) -> bool:
    """Whether numba has compiled something of the file, or may have frozen a constant of it."""
    return not mutant.function or any(cache.rglob(f"{Path(mutant.file).stem}.*.nbi"))


def identity(mutant: Mutant) -> str:
    """Name of a mutant, the same as long as its file is."""
    return hashlib.sha256(f"{mutant.file} {mutant.text}".encode()).hexdigest()[:12]


def diff(mutant: Mutant) -> str:
    """The change, as a patch without context."""
    before = (ROOT / mutant.file).read_text().splitlines()
    lines = difflib.unified_diff(before, mutant.text.splitlines(), lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def tried(path: Path) -> dict[str, JSON]:
    """What was tried before, by the mutants' names; of several attempts the last."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {line["mutant"]: line for line in map(json.loads, lines)}


def try_all(
    mutants: Mapping[str, Mutant], choice: Choice, benches: Sequence[Bench]
) -> Iterator[JSON]:
    """Try mutants, as many at once as there are benches; yields in the order in which they end."""
    free: Queue[Bench] = Queue()
    for bench in benches:
        free.put(bench)
    done: Queue[JSON] = Queue()

    def one(name: str, mutant: Mutant) -> None:
        bench = free.get()
        start = time.monotonic()
        try:
            tests = choice.tests(mutant)
            seconds = sum(choice._map.seconds[test] for test in tests)
            outcome, by = bench.try_out(mutant, tests, seconds)
            done.put({
                "mutant": name, "file": mutant.file, "line": mutant.line, "kind": mutant.kind,
                "outcome": outcome, "by": by, "tests": len(tests),
                "seconds": round(time.monotonic() - start, 1), "diff": diff(mutant),
            })  # fmt: skip
        except Exception as error:  # noqa: BLE001 (told, and tried again by the next command)
            done.put({"mutant": name, "outcome": "error", "by": repr(error), "diff": ""})
        finally:
            free.put(bench)

    with ThreadPoolExecutor(len(benches)) as pool:
        for name, mutant in mutants.items():
            pool.submit(one, name, mutant)
        for _ in mutants:
            yield done.get()


def main() -> int:
    """Draw mutants, try them, say which survive."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--state", type=Path, required=True, help="folder outside the checkout")
    parser.add_argument("--again", choices=["survived", "all"], help="try these anew")
    parser.add_argument("--budget", type=float, default=120, help="seconds of tests for a mutant")
    parser.add_argument("--limit", type=float, default=600, help="seconds after which it is killed")
    parser.add_argument("--keep-traces", action="store_true", help="trace nothing anew")
    parser.add_argument("--list", action="store_true", help="show the mutants and try none")
    words = parser.parse_args()
    mutants = {identity(m): m for m in draw(ROOT, FOLDERS, words.count, words.seed)}
    if words.list:
        for mutant in mutants.values():
            print(f"{mutant.file}:{mutant.line} {mutant.kind}\n{diff(mutant)}\n")
        return 0
    state = words.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    known = build_map(state, words.jobs, keep=words.keep_traces)
    _hooks(state)
    log = state / "tried.jsonl"
    before = {name: line for name, line in tried(log).items() if name in mutants}
    keep = {"survived": {"killed"}, "all": set()}.get(words.again, {"killed", "survived"})
    results = {name: line for name, line in before.items() if line["outcome"] in keep}
    todo = {name: mutant for name, mutant in mutants.items() if name not in results}
    benches = [
        Bench(checkout(state / f"bench-{n}"), state / "numba", state, words.limit)
        for n in range(words.jobs)
    ]
    for line in try_all(todo, Choice(known, words.budget), benches):
        results[line["mutant"]] = line
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(f"{len(results)}/{len(mutants)} {line['outcome']} {line.get('file')} {line['by']}")
        sys.stdout.flush()
    return report(results)


def report(results: Mapping[str, JSON]) -> int:
    """Print the survivors with their changes, then the counts."""
    alive = [line for line in results.values() if line["outcome"] != "killed"]
    for line in sorted(alive, key=lambda line: (line.get("file", ""), line.get("line", 0))):
        place = f"{line.get('file')}:{line.get('line')}"
        print(f"\n{line['outcome']} {place} {line.get('kind')} ({line['by']})\n{line['diff']}")
    print(f"\n{len(results) - len(alive)} of {len(results)} mutants killed")
    return 1 if alive else 0


if __name__ == "__main__":
    raise SystemExit(main())
