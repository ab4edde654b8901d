"""The examples as their authors serve them, and behind socketio-server; and clients that keep what they hear."""

import asyncio
import copy
import json
import random
import socket
import urllib.request
from contextlib import asynccontextmanager

import aiohttp
import pytest
import socketio
from socketio import packet

from conftest import HERE, LIMIT, REPOSITORY, Process, serve

EXAMPLES = REPOSITORY / "server/python/examples"
SECRET, KEY = "the secret of hooks", "the key of the API"
SERVER = REPOSITORY / "target/debug/socketio-server"

# Who is there from before a scene until after it, and no part of it.
WITNESS = "witness"

TRANSPORTS = {"ann": ["websocket"], "bob": ["polling"], "cleo": ["polling", "websocket"]}


def free_port():
    """A port below those that the system gives to whoever wants any: nobody has it by the time it is listened on."""
    for port in random.sample(range(10_000, 30_000), 100):
        with socket.socket() as free:
            if free.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no port is free")


class Alone:
    """Clients connect to the application itself."""

    def __init__(self, version, example, folder):
        python = REPOSITORY / f"target/bridge/{version}/bin/python"
        environment = {"TASKS_DATABASE": str(folder / "alone.sqlite"), "PORT": "0"}
        if example.startswith("flask"):
            self.app = Process([python, example + ".py"], r"Running on (http://\S+)", EXAMPLES, **environment)
        else:
            self.app = serve(version, "asgi", example + ":app", EXAMPLES)
        self.address = self.app.match[1]

    def stop(self):
        self.app.stop()


class Behind:
    """Clients connect to the server, with the configuration that is beside the examples."""

    def __init__(self, version, example, folder):
        kind = "flask" if example.startswith("flask") else "asgi"
        options = ["--workers", "2"] + (["--threads", "8"] if kind == "flask" else [])
        environment = {"PYTHONPATH": str(EXAMPLES), "TASKS_DATABASE": str(folder / "behind.sqlite")}
        self._start(version, kind, example + "_server:app", folder, options, **environment)

    def _start(self, version, kind, module, folder, options=(), more="", **environment):
        """`more` is what else the configuration says."""
        (folder / "hooks.key").write_text(SECRET)
        (folder / "api.key").write_text(KEY)
        admin = f"unix:{folder}/admin.sock"
        self.app = serve(version, kind, module, folder, options, BRIDGE_API=admin, **environment)
        config = (EXAMPLES / "server.toml").read_text().replace("http://127.0.0.1:5000", self.app.match[1])
        (folder / "server.toml").write_text(config + more)
        command = [SERVER, "--config", "server.toml", "--listen", "127.0.0.1:0", "--admin-listen", admin]
        self.server = Process(command, r"listening on (http://\S+)", folder)
        self.address = self.server.match[1]

    def stop(self):
        self.server.stop()
        self.app.stop()


class Served(Behind):
    """One of the applications of these tests behind the server. `attach` is what it is told beside the secrets."""

    def __init__(self, version, kind, folder, attach=None, **options):
        self.kind = kind
        attach = {"secret": SECRET, "api_key": KEY, "api": f"unix:{folder}/admin.sock", **(attach or {})}
        attach = json.dumps({name: option for name, option in attach.items() if option is not None})
        self._start(version, kind, kind + "_app:app", folder, PYTHONPATH=str(HERE / "apps"), ATTACH=attach, **options)

    def get(self, path):
        with urllib.request.urlopen(self.address + path, timeout=LIMIT) as answer:
            return answer.read()


class Client(socketio.AsyncClient):
    """The official client. `events` is all that it heard, in order, without those whose names are in `ignored`; `answers`
    are what it answers to some of them."""

    def __init__(self, name, namespaces, ignored=()):
        super().__init__(reconnection=False)
        self.name = name
        self.ignored = ignored
        self.events = []
        self.answers = {}
        self.ended = None
        self.refusals = {}
        self._changed = asyncio.Event()
        self._waited = {}
        for namespace in namespaces:
            self.on("*", self._listener(namespace), namespace)
            self.on("connect_error", self._refused(namespace), namespace)
            self.on("disconnect", self._left, namespace)

    def _listener(self, namespace):
        async def listen(event, *args):
            if event in self.ignored or event in ("came", "went") and args[0]["user"] == WITNESS:
                return None
            self.events.append((event if namespace == "/" else namespace + " " + event, *args))
            self._change()
            answer = self.answers.get(event)
            return await answer if isinstance(answer, asyncio.Future) else answer

        return listen

    def _refused(self, namespace):
        async def refused(data):
            self.refusals[namespace] = data
            self._change()

        return refused

    async def _left(self, reason):
        self.ended = reason
        self._change()

    def _change(self):
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until(self, is_so, what):
        async def wait():
            while not is_so():
                await self._changed.wait()

        try:
            await asyncio.wait_for(wait(), LIMIT)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.name} waits for {what}; it heard {self.events}") from None

    async def heard(self, event, count=1):
        """Waits for that many more of an event."""
        self._waited[event] = wanted = self._waited.get(event, 0) + count
        await self._until(lambda: sum(heard[0] == event for heard in self.events) >= wanted, event)

    async def refused(self, namespace):
        await self._until(lambda: namespace in self.refusals, "a refusal")

    async def gone(self):
        await self._until(lambda: self.ended, "its end")

    async def leave(self):
        """Disconnects without waiting for the poll that is under way: python-engineio answers it half a minute later."""
        if not self.connected:
            return
        for namespace in list(self.namespaces):
            await self._send_packet(self.packet_class(packet.DISCONNECT, namespace=namespace))
        await asyncio.wait_for(self.eio.queue.join(), LIMIT)
        await self.eio.disconnect(abort=True)

    async def ask(self, event, *args, namespace="/"):
        """What the application returns."""
        return await self.call(event, args, namespace, timeout=LIMIT)


@asynccontextmanager
async def connected(served, *names):
    """Clients of one of these tests' applications. When one goes, all others are told."""
    clients = [Client(name, ["/"], ignored=["gone"]) for name in names]
    for client in clients:
        await client.connect(served.address, transports=["websocket"])
    yield clients
    for client in clients:
        await client.leave()


class Scene:
    """Clients of one stage, and what they heard."""

    def __init__(self, stage):
        self.address = stage.address
        self.is_flask = "flask" in " ".join(stage.app.process.args)
        self.clients = {}
        self.acks = []
        self.http = None

    async def __aenter__(self):
        self.http = aiohttp.ClientSession()
        self.witness = await self.client(WITNESS)
        return self

    async def __aexit__(self, failure, *_):
        others = [client for client in self.clients.values() if client is not self.witness and client.connected]
        for client in others:
            await client.leave()
        if failure is None:
            # The next scene begins when the application has handled that.
            await self.witness.heard("went", len(others))
        await self.witness.leave()
        await self.http.close()

    async def cookie(self, user):
        """That of a user who has logged in."""
        async with self.http.post(self.address + "/login", data={"user": user}, allow_redirects=False) as answer:
            assert answer.status == 302
            return answer.headers["Set-Cookie"].split(";")[0]

    async def request(self, method, path, **options):
        async with self.http.request(method, self.address + path, **options) as answer:
            return answer.status, await answer.text()

    async def client(self, user, name=None, namespaces=("/",), query="", **options):
        """Connects one who has logged in as this user, and waits for the greeting."""
        client = Client(name or user, namespaces)
        self.clients[client.name] = client
        await self.open(client, user, namespaces, query, **options)
        if not client.refusals:
            await client.heard("welcome")
        return client

    async def open(self, client, user, namespaces=("/",), query="", **options):
        if self.is_flask:
            headers = {"Cookie": await self.cookie(user)} if user else {}
            options = {"auth": {"version": 2}, "headers": headers, **options}
        else:
            options = {"auth": {"token": f"token of {user}"}, **options}
        transports = TRANSPORTS.get(user, ["websocket"])
        options = {"namespaces": list(namespaces), "transports": transports, "wait_timeout": LIMIT, **options}
        try:
            await client.connect(self.address + query, **options)
        except socketio.exceptions.ConnectionError:
            assert client.refusals, "it was refused, and not told why"

    async def crowd(self, *users):
        """Clients of these users, one after the other; the earlier ones have heard of the later."""
        clients = []
        for user in users:
            client = await self.client(user)
            for earlier in clients:
                await earlier.heard("came")
            clients.append(client)
        return clients

    async def record(self):
        """What is to be the same on each stage. What was sent before has come by then."""
        for client in self.clients.values():
            if client.connected:
                await client.ask(*(("cancel", 0) if self.is_flask else ("unwatch", "nothing")))
        # It has heard of all who went so far.
        await self.witness.heard("went", sum(event == "went" for event, *_ in self.witness.events))
        heard = {name: client.events for name, client in self.clients.items() if client is not self.witness}
        reasons = {name: client.ended for name, client in self.clients.items()}
        refusals = {name: client.refusals for name, client in self.clients.items()}
        return copy.deepcopy({"heard": heard, "acks": self.acks, "reasons": reasons, "refusals": refusals})


@pytest.fixture(scope="session")
def stages(tmp_path_factory):
    """The two stages of an example, by version of python-socketio; each is set up once."""
    stages = {}

    def of(version, example):
        for kind in (Alone, Behind):
            key = (kind, version, example)
            if key not in stages:
                stages[key] = kind(version, example, tmp_path_factory.mktemp(example))
        return [stages[kind, version, example] for kind in (Alone, Behind)]

    yield of
    for stage in stages.values():
        stage.stop()


async def played(stage, play):
    async with Scene(stage) as scene:
        await play(scene)
        return await scene.record()


def compare(stages, play):
    """Plays a scene on both."""
    alone, behind = stages
    expected = asyncio.run(played(alone, play))
    assert any(expected["heard"].values()) or expected["refusals"], "a scene in which nothing happens shows nothing"
    assert asyncio.run(played(behind, play)) == expected


async def ends(scene):
    """Of all three kinds; each application has these events."""
    ann, bob, cleo = await scene.crowd("ann", "bob", "cleo")
    dora = await scene.client("dora")
    for client in (ann, bob, cleo):
        await client.heard("came")
    await bob.leave()
    for client in (ann, cleo, dora):
        await client.heard("went")
    await cleo.emit("quit")
    await cleo.gone()
    for client in (ann, dora):
        await client.heard("went")
    await dora.eio.ws.close()
    await dora.gone()
    await ann.heard("went")
