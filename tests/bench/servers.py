"""What is measured against each other: how each server is installed, started and ended, and what it takes part in."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "target" / "bench"
RELEASE = ROOT / "target" / "release"
PEERS_FOLDER = ROOT / "tests" / "bench" / "peers"

# In these, a server is compared with itself only.
SCALE = tuple(name for name in SCENARIOS if name.startswith("scale_"))
# What a floor can do, which knows one room, and takes no acks.
OF_FLOORS = (
    "idle", "echo", "ack", "binary", "broadcast_paced", "broadcast_flat", "latency_echo", "latency_broadcast",
    "handshake_websocket", "storm",
)
# The one of raw frames polls, too, and says what the kernel needs for more members.
OF_FRAMES = ("polling_echo", "handshake_upgrade", "scale_flat", "scale_paced")
# What is done with one thread for each of 100 clients and without a second request by one connection, which werkzeug
# closes; and without ends of WebSockets, which it leaves open.
OF_THREADS = ("echo", "ack", "binary", "msgpack", "latency_echo")


def call(*command, cwd=None):
    """Runs a command to its end; its words go to stderr, where the table does not."""
    subprocess.run(list(map(str, command)), cwd=cwd, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)


def install(source, stamp, *commands):
    """Installs what a file lists, unless that was done for the file as it is, which the stamp is a copy of."""
    if stamp.exists() and stamp.read_bytes() == source.read_bytes():
        return
    for command in commands:
        call(*command, cwd=source.parent)
    shutil.copy(source, stamp)


def build(binary, *features):
    call("cargo", "build", "--locked", "--release", "-p", "tests", "--bin", binary, *features, cwd=ROOT)
    return [RELEASE / binary]


def build_ours():
    return build("conformance", "--features", "jemalloc")


def build_socketioxide():
    target = BENCH / "socketioxide"
    call("cargo", "build", "--locked", "--release", "--target-dir", target, cwd=PEERS_FOLDER / "socketioxide")
    return [target / "release" / "bench-socketioxide"]


def install_packages(folder):
    source = folder / "package-lock.json"
    install(source, folder / "node_modules" / ".installed", ("npm", "ci", "--no-audit", "--no-fund"))


def install_node():
    folder = ROOT / "tests" / "js"
    install_packages(folder)
    return ["node", folder / "reference.mjs"]


def install_bun():
    folder = PEERS_FOLDER / "bun"
    install_packages(folder)
    return [folder / "node_modules" / ".bin" / "bun", folder / "server.mjs"]


def install_python(name):
    source, venv = PEERS_FOLDER / name / "requirements.txt", BENCH / name
    python = venv / "bin" / "python"
    commands = (sys.executable, "-m", "venv", venv), (python, "-m", "pip", "install", "-q", "-r", source)
    install(source, venv / "installed", *commands)
    return [python, source.parent / "server.py"]


@dataclass
class Peer:
    """One column of the table."""

    # Installs it, and says how it is started.
    command: Callable
    # What it takes part in.
    scenarios: tuple
    # More rounds than this are not done: where one is ten times slower, the third digit says nothing.
    rounds: int = 1_000
    # What its profile has behind the scenario's.
    variant: str = ""

    def profile(self, scenario):
        return SCENARIOS[scenario].profile + self.variant


def but(*left_out):
    return tuple(name for name in SCENARIOS if name not in left_out)


PEERS = {
    "ours": Peer(build_ours, tuple(SCENARIOS)),
    "ours-flush": Peer(build_ours, ("broadcast_paced",), variant="-flush"),
    "socket.io": Peer(install_node, but(*SCALE), rounds=3),
    "socket.io-bun": Peer(install_bun, but(*SCALE), rounds=2),
    "socketioxide": Peer(build_socketioxide, but(*SCALE)),
    "python-socketio": Peer(lambda: install_python("python"), but(*SCALE, "broadcast_ack"), rounds=2),
    "flask-socketio": Peer(lambda: install_python("flask"), OF_THREADS, rounds=2),
    "floor-tungstenite": Peer(lambda: build("floor-tungstenite"), OF_FLOORS),
    "floor-frames": Peer(lambda: build("floor-frames"), (*OF_FLOORS, *OF_FRAMES)),
}


def versions():
    """Those of the peers, as they are installed."""
    packages = json.loads((ROOT / "tests" / "js" / "package-lock.json").read_text())["packages"]
    bun = json.loads((PEERS_FOLDER / "bun" / "package-lock.json").read_text())["packages"]
    crates = (PEERS_FOLDER / "socketioxide" / "Cargo.lock").read_text()
    names = [f"socket.io {packages['node_modules/socket.io']['version']}"]
    names += [f"{name} {bun[f'node_modules/{name}']['version']}" for name in ("bun", "@socket.io/bun-engine")]
    names.append("socketioxide " + crates.split('name = "socketioxide"\nversion = "')[1].split('"')[0])
    for name in ("python", "flask"):
        names += (PEERS_FOLDER / name / "requirements.txt").read_text().replace("==", " ").split("\n")
    return ", ".join(dict.fromkeys(name for name in names if name))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Server:
    """A peer's server while it runs, on a core of its own."""

    def __init__(self, command, profile, core, log):
        self.port = free_port()
        environment = os.environ | {"PROFILE": profile, "PORT": str(self.port), "NODE_ENV": "production"}
        pinned = ["taskset", "-c", core, *map(str, command)]
        self.process = subprocess.Popen(pinned, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self):
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait(self):
        """Until it takes connections."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server did not start") from None
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
