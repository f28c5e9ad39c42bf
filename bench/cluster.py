"""Several real ComfyUI servers with ComfyUI-Distributed on this machine: a master and workers, as
on several machines.
"""

import concurrent.futures
import json
import os
import shutil
from pathlib import Path

from bench.server import Client, Server, free_port

ROOT = Path(__file__).resolve().parents[1]
ENGINE = "ComfyUI-Distributed"
# The engine waits this long for a silent worker, then asks it whether it is busy: a busy one is
# waited for however long it takes.
SILENT_SECONDS = 2


def engine_path() -> Path | None:
    """The checkout of ComfyUI-Distributed that DISTRIBUTED_PATH names; None where it names none."""
    named = os.environ.get("DISTRIBUTED_PATH")
    if not named:
        return None
    if not (Path(named) / "nodes/collector.py").is_file():
        raise FileNotFoundError(
            f"DISTRIBUTED_PATH is {named}, which holds no ComfyUI-Distributed (nodes/collector.py)."
        )
    return Path(named)


class Cluster:
    """`with Cluster(folder, 2) as cluster:` runs a master and two workers, each with its own base
    folder and copy of the engine.
    """

    def __init__(self, folder: Path, workers: int):
        names = ["master", *(f"worker-{number}" for number in range(1, workers + 1))]
        self.servers = [
            Server(folder / name, base=_base_folder(folder / name / "base")) for name in names
        ]
        self.master, *self.workers = self.servers
        self.client = Client(self.master.url)
        self.ids = names[1:]

    def __enter__(self) -> "Cluster":
        self._tell_the_engine()
        with concurrent.futures.ThreadPoolExecutor(len(self.servers)) as threads:
            starts = [threads.submit(server.__enter__) for server in self.servers]
        try:
            for start in starts:
                start.result()
        except BaseException:
            self.__exit__()
            raise
        return self

    def revive(self) -> None:
        """Start again, at the same port, what a test has ended."""
        for server in self.servers:
            if server.process.poll() is not None:
                server.__enter__()

    def __exit__(self, *exc) -> None:
        with concurrent.futures.ThreadPoolExecutor(len(self.servers)) as threads:
            list(
                threads.map(
                    Server.__exit__, filter(lambda server: server.process is not None, self.servers)
                )
            )

    def forget(self) -> None:
        """Nothing that ran before is cached any more, on any machine."""
        for server in self.servers:
            Client(server.url).post("/free", b'{"free_memory": true}')

    def run(
        self, prompt: dict, workers: list[str] | None = None, delegate: bool = False, **more
    ) -> dict[str, list[bytes]]:
        """Queue a prompt as the engine's page does, for all workers or those named; everything else
        as in Client.run.
        """
        asked = {
            "enabled_worker_ids": self.ids if workers is None else workers,
            "delegate_master": delegate,
        }
        return self.client.run(prompt, path="/distributed/queue", body=asked, **more)

    def _tell_the_engine(self) -> None:
        """The engine's own settings on the master: the workers, and one that is never up,
        `nobody`.
        """
        ports = {
            **{name: server.port for name, server in zip(self.ids, self.workers)},
            "nobody": free_port(),
        }
        workers = [
            {
                "id": name,
                "name": name,
                "host": "127.0.0.1",
                "port": port,
                "type": "local",
                "enabled": True,
            }
            for name, port in ports.items()
        ]
        config = {
            "workers": workers,
            "settings": {
                "worker_timeout_seconds": SILENT_SECONDS,
                "stop_workers_on_master_exit": False,
            },
        }
        (self.master.base / "custom_nodes" / ENGINE / "gpu_config.json").write_text(
            json.dumps(config)
        )


def _base_folder(base: Path) -> Path:
    """A base folder of its own: the pack and the test bench's nodes linked, the engine copied, for
    it keeps its settings inside.
    """
    nodes = base / "custom_nodes"
    nodes.mkdir(parents=True)
    (nodes / "one-prompt-one-story").symlink_to(ROOT)
    (nodes / "toy-models").symlink_to(ROOT / "bench/toy_nodes")
    engine = engine_path()
    if engine is not None:
        shutil.copytree(engine, nodes / ENGINE)
    return base
