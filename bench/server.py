"""The real ComfyUI server as a process, and a client that talks to it as the web page does: HTTP
and websocket.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import aiohttp

from bench.waiting import wait_for

LAUNCH = Path(__file__).with_name("launch.py")
START_SECONDS = 180
RUN_SECONDS = 600


class ServerFailed(RuntimeError):
    """The server did not start; the text is the end of its log."""


class PromptFailed(RuntimeError):
    """A prompt was refused or failed; the text is what the page would show, `node_errors` what it
    would mark.

    `outputs` has the images that were saved before it failed.
    """

    def __init__(
        self,
        text: str,
        node_errors: dict | None = None,
        outputs: dict[str, list[bytes]] | None = None,
    ):
        super().__init__(text)
        self.node_errors = node_errors or {}
        self.outputs = outputs or {}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`with Server(folder) as server:` runs ComfyUI with its output and user data in `folder`, on
    `base` instead of .bench/base.
    """

    def __init__(self, folder: Path, *options: str, base: Path | None = None):
        self.folder = Path(folder)
        self.base = base
        self.options = options if base is None else ("--base-directory", str(base), *options)
        self.process: subprocess.Popen | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = self.folder / "server.log"

    def __enter__(self) -> "Server":
        for name in ("output", "user", "temp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            str(LAUNCH),
            "--port",
            str(self.port),
            "--output-directory",
            str(self.folder / "output"),
            "--user-directory",
            str(self.folder / "user"),
            "--temp-directory",
            str(self.folder / "temp"),
            *self.options,
        ]
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        try:
            wait_for(self._wait_until_ready())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    async def _wait_until_ready(self) -> None:
        async with aiohttp.ClientSession() as session:
            for _ in range(START_SECONDS * 4):
                if self.process.poll() is not None:
                    break
                try:
                    async with session.get(f"{self.url}/system_stats") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.25)
        raise ServerFailed(f"ComfyUI did not start. The end of its log:\n{self.log[-3000:]}")


class Client:
    """What the page does with a server, in plain calls."""

    def __init__(self, url: str):
        self.url = url

    def get(self, path: str):
        """JSON of a path, or its bytes where it is something else."""
        return wait_for(self._get(path))

    @cached_property
    def info(self) -> dict:
        """What the server says of its nodes. It stays the same as long as the server runs, but for
        the files in its folders.
        """
        return self.get("/object_info")

    def run(
        self,
        prompt: dict,
        progress: Callable[[str, float], None] = lambda node, share: None,
        path: str = "/prompt",
        body: dict | None = None,
    ) -> dict[str, list[bytes]]:
        """Queue an API prompt and wait for it. Returns the images of every output node, in order.

        `progress(node id, share done)` follows the run. Raises PromptFailed with the server's own
        words. `path` takes the prompt, with the fields of `body` beside it.
        """
        return wait_for(self._run(prompt, progress, path, body or {}))

    def post(self, path: str, body: bytes) -> tuple[int, dict]:
        """Status and JSON of the answer to a body."""
        return wait_for(self._post(path, body))

    def refusal(self, prompt: dict) -> dict:
        """What the server's own validation says against an API prompt, by node; empty where it
        takes it (and begins to run it).
        """
        _, answer = wait_for(self._post("/prompt", json.dumps({"prompt": prompt}).encode()))
        return answer.get("node_errors") or answer.get("error") or {}

    async def _post(self, path: str, body: bytes) -> tuple[int, dict]:
        headers = {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url + path, data=body, headers=headers) as answer,
        ):
            return answer.status, await answer.json() if "json" in answer.content_type else {}

    async def _get(self, path: str):
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            answer.raise_for_status()
            return await answer.json() if "json" in answer.content_type else await answer.read()

    async def _run(
        self, prompt: dict, progress: Callable, path: str, body: dict
    ) -> dict[str, list[bytes]]:
        client_id = uuid.uuid4().hex
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{self.url}/ws?clientId={client_id}", max_msg_size=0) as events,
        ):
            async with session.post(
                self.url + path, json={"prompt": prompt, "client_id": client_id, **body}
            ) as answer:
                queued = await answer.json()
            if "prompt_id" not in queued:
                raise PromptFailed(_refusal(queued), queued.get("node_errors"))
            failure = await asyncio.wait_for(
                _follow(events, queued["prompt_id"], progress), RUN_SECONDS
            )
            async with session.get(f"{self.url}/history/{queued['prompt_id']}") as answer:
                outputs = (await answer.json())[queued["prompt_id"]]["outputs"]
            images = {
                node: [await self._image(session, image) for image in output.get("images", [])]
                for node, output in outputs.items()
            }
        if failure:
            raise PromptFailed(failure, outputs=images)
        return images

    async def _image(self, session, image: dict) -> bytes:
        async with session.get(f"{self.url}/view", params=image) as answer:
            answer.raise_for_status()
            return await answer.read()


async def _follow(events, prompt_id: str, progress: Callable) -> str:
    """Read the server's events until the prompt is done. Returns what went wrong, empty for
    nothing.
    """
    failure = ""
    async for event in events:
        if event.type != aiohttp.WSMsgType.TEXT:
            continue
        message = event.json()
        kind, data = message["type"], message["data"]
        if data.get("prompt_id") not in (None, prompt_id):
            continue
        if kind == "progress":
            progress(data["node"], data["value"] / data["max"])
        elif kind == "execution_error":
            failure = failure or f"{data['exception_type']}: {data['exception_message']}"
        elif kind == "execution_interrupted":
            failure = failure or "interrupted"
        elif kind == "executing" and data["node"] is None:  # sent once the history is written
            return failure
    raise PromptFailed("the server closed the connection")


def _refusal(queued: dict) -> str:
    error = queued.get("error", {})
    lines = [error.get("message", "refused") if isinstance(error, dict) else str(error)]
    for node in queued.get("node_errors", {}).values():
        lines += [
            f"{node['class_type']}: {error['message']}: {error['details']}"
            for error in node["errors"]
        ]
    return "\n".join(lines)
