#!/usr/bin/env python3
"""The guard: how many instructions the server needs for what it does most often, compared with those on record.

  tests/run guard             builds in release, counts, and fails where a count is off by more than 3 %
  RECORD=1 tests/run guard    puts what was counted on record, in tests/guard/counts.json

Counted by valgrind, which does not mind what else the machine does. Each path is walked by a client that does one
thing after another, and waits before each step until the server sleeps, so that the server always does the same. It
is walked twice, once with more operations: the difference is of these alone. The median of three such differences
counts. What each path is, and what the counts are worth, is said in docs/performance.md.

The last line says how many passed and failed; with status 77, why nothing was compared.
"""

import json
import os
import platform
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "tests" / "guard" / "counts.json"
SERVER = ROOT / "target" / "release" / "conformance"

TOLERANCE = 0.03
# Of one build, handshakes differ by up to 2 % from run to run, all else by less than 1 %.
RUNS = 3
# A server that has not answered by then never will. In seconds; below its ping_interval of 25.
PATIENCE = 20
# The status that stands for a test that was skipped.
NOT_COMPARED = 77
MEMBERS = 50
TEXT = "x" * 64
MASK = bytes((0x37, 0xFA, 0x21, 0x3D))
SWITCH = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


class Server:
    """A server under valgrind, with one thread for its tasks."""

    def __init__(self):
        command = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", SERVER)
        environment = os.environ | {"PROFILE": "bench", "PORT": "0", "TOKIO_WORKER_THREADS": "1"}
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        address = self.process.stdout.readline().split()
        if not address:
            raise RuntimeError(self.process.stderr.read())
        self.port = int(address[-1].rpartition(":")[2])
        self.tasks = Path(f"/proc/{self.process.pid}/task")

    def settle(self):
        """Returns once all threads of the server sleep. What wakes them is sent by this very process."""
        deadline = time.monotonic() + PATIENCE
        while any(self.state(task) != b"S" for task in self.tasks.iterdir()):
            if time.monotonic() > deadline:
                raise RuntimeError("the server does not come to rest")

    @staticmethod
    def state(task):
        return (task / "stat").read_bytes().rpartition(b") ")[2][:1]

    def end(self):
        """Ends the server; returns the instructions it needed from its start on."""
        self.settle()
        self.process.send_signal(signal.SIGTERM)
        _, report = self.process.communicate(timeout=PATIENCE)
        found = re.search(r"Collected : (\d+)", report)
        if self.process.returncode != 0 or not found:
            raise RuntimeError(report)
        return int(found[1])


class Connection:
    """One connection, on which each step waits for the server to sleep."""

    def __init__(self, server):
        server.settle()
        self.server, self.unread = server, b""
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        self.server.settle()
        self.socket.sendall(data)

    def read(self, length):
        while len(self.unread) < length:
            more = self.socket.recv(65536)
            if not more:
                raise RuntimeError(f"the server ended a connection after {self.unread}")
            self.unread += more
        data, self.unread = self.unread[:length], self.unread[length:]
        return data

    def request(self, method, target, headers="", body=""):
        head = f"{method} /socket.io/?EIO=4&transport={target} HTTP/1.1\r\nHost: localhost\r\n{headers}"
        if body:
            head += f"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(body)}\r\n"
        self.send(f"{head}\r\n{body}".encode())

    def answer(self):
        """The body of the next answer."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(1)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        return self.read(int(length[1]) if length else 0).decode()

    def text(self, text):
        self.send(masked(0x81, text.encode()))

    def frame(self):
        """The text of the next frame."""
        _, length = self.read(2)
        if length == 126:
            (length,) = struct.unpack(">H", self.read(2))
        return self.read(length).decode()

    def expect(self, *texts):
        for text in texts:
            check(self.frame(), text)

    def leave(self):
        """Closes a WebSocket, and waits until the server has done the same."""
        self.send(masked(0x88, struct.pack(">H", 1000)))
        while self.socket.recv(65536):
            pass
        self.close()

    def close(self):
        self.server.settle()
        self.socket.close()


def masked(first, payload):
    header = bytes((first, 0x80 | len(payload))) if len(payload) < 126 else struct.pack(">BBH", first, 0xFE, len(payload))
    return header + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))


def check(found, start):
    if not found.startswith(start):
        raise RuntimeError(f"not {start}: {found}")


def websocket(server, sid=""):
    connection = Connection(server)
    connection.request("GET", f"websocket{sid}", SWITCH)
    connection.answer()
    return connection


def join(server):
    """A client at `/`, by WebSocket."""
    client = websocket(server)
    client.expect("0{")
    client.text("40")
    client.expect("40{")
    return client


def join_polling(server):
    """The same by polling, on one connection; and what its requests need besides."""
    client = Connection(server)
    client.request("GET", "polling")
    opened = client.answer()
    check(opened, "0{")
    sid = f"&sid={json.loads(opened[1:])['sid']}"
    client.request("POST", f"polling{sid}", body="40")
    check(client.answer(), "ok")
    client.request("GET", f"polling{sid}")
    check(client.answer(), "40{")
    return client, sid


def echo(server, operations):
    client, event = join(server), f'42["echo","{TEXT}"]'
    for _ in range(operations):
        client.text(event)
        client.expect(event)


def ack(server, operations):
    client = join(server)
    for _ in range(operations):
        client.text(f'421["ack","{TEXT}"]')
        client.expect(f'431["{TEXT}"]')


def broadcast(server, operations):
    members, sender = [join(server) for _ in range(MEMBERS)], join(server)
    for member in members:
        member.text('420["join","room"]')
        member.expect("430[]")
    for _ in range(operations // MEMBERS):
        sender.text(f'42["cast","room","{TEXT}"]')
        for member in members:
            member.expect(f'42["msg","{TEXT}"]')


def polling(server, operations):
    (gets, sid), posts, event = join_polling(server), Connection(server), f'42["echo","{TEXT}"]'
    for _ in range(operations):
        gets.request("GET", f"polling{sid}")
        posts.request("POST", f"polling{sid}", body=event)
        check(posts.answer(), "ok")
        check(gets.answer(), event)


def handshake_websocket(server, operations):
    for _ in range(operations):
        join(server).leave()


def handshake_upgrade(server, operations):
    for _ in range(operations):
        gets, sid = join_polling(server)
        gets.request("GET", f"polling{sid}")
        client = websocket(server, sid)
        client.text("2probe")
        client.expect("3probe")
        check(gets.answer(), "6")
        client.text("5")
        client.text('420["ack"]')
        client.expect("430[]")
        gets.close()
        client.leave()


# Each path, and by how many operations its second walk is longer than its first one.
PATHS = {
    echo: 1000,
    ack: 1000,
    broadcast: 5000,
    polling: 500,
    handshake_websocket: 600,
    handshake_upgrade: 600,
}


def count(path, operations):
    """The instructions of one operation."""
    totals = []
    for length in (operations // 2, operations // 2 + operations):
        server = Server()
        try:
            path(server, length)
            totals.append(server.end())
        finally:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()
    return round((totals[1] - totals[0]) / operations)


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def circumstances():
    """What counts depend on besides the server: the compiler above all, the rest a little."""
    return {
        "rustc": first_line("rustc", "--version"),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "valgrind": first_line("valgrind", "--version"),
    }


def build():
    command = ("cargo", "build", "--locked", "--release", "-p", "tests", "--bin", "conformance")
    subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=True)


def main():
    here, is_recording = circumstances(), os.environ.get("RECORD") == "1"
    record = json.loads(RECORD.read_text())
    for what in ("rustc", "machine"):
        if not is_recording and record["recorded_with"][what] != here[what]:
            print(f"not compared: the counts are of {record['recorded_with'][what]}, and this is {here[what]}")
            sys.exit(NOT_COMPARED)
    build()
    counts = {
        path.__name__: statistics.median(count(path, operations) for _ in range(RUNS))
        for path, operations in PATHS.items()
    }
    if is_recording:
        RECORD.write_text(json.dumps({"recorded_with": here, "instructions": counts}, indent=2) + "\n")
    failed = 0
    for name, found in counts.items():
        before = record["instructions"].get(name)
        change = found / before - 1 if before else None
        print(f"{name}: {found:,} instructions, " + (f"{change:+.1%} of {before:,}" if before else "none on record"))
        if is_recording or before and abs(change) <= TOLERANCE:
            continue
        failed += 1
        if before and change > 0:
            print("  FAILED: slower. If it has to be: RECORD=1 tests/run guard, and say in the commit what it buys")
        else:
            print("  FAILED: keep it so, with RECORD=1 tests/run guard")
    print(f"{len(counts) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
