"""The example server/examples/jobs with its application, as the list of examples says to start them."""

import asyncio
import shutil

import aiohttp
import pytest

from conftest import REPOSITORY, VERSIONS, Process
from stage import SERVER, Client, free_port

EXAMPLE = REPOSITORY / "server/examples/jobs"


@pytest.fixture
def address(tmp_path):
    for name in ("app.py", "index.html", "server.toml"):
        shutil.copy(EXAMPLE / name, tmp_path)
    for name in ("api", "jwt"):
        (tmp_path / f"{name}.key").write_text(f"the {name} key of tests, of thirty-two bytes or more\n")
    port = str(free_port())
    ports = ["--upstream", "http://127.0.0.1:" + port, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    command = [SERVER, "--config", "server.toml", *ports]
    server = Process(command, r"listening on (http://\S+)\s+admin on (http://\S+)", tmp_path)
    python = REPOSITORY / f"target/bridge/{VERSIONS[-1]}/bin/python"
    command = [python, "-m", "flask", "--app", "app", "run", "--port", port]
    app = Process(command, r"Running on http://", tmp_path, SERVER=server.match[2])
    yield server.match[1]
    app.stop()
    server.stop()


class Tab:
    """A browser's tab of a user who logs in."""

    def __init__(self, address, user):
        self.address = address
        self.user = user
        # As 127.0.0.1 is a host without a name.
        self.http = aiohttp.ClientSession(address, cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.client = Client(user, ["/"])

    async def __aenter__(self):
        assert "<title>Jobs</title>" in await self.text("POST", "/login", data={"user": self.user})
        token = await self.text("GET", "/token")
        await self.client.connect(self.address, auth={"token": token}, transports=["websocket"])
        return self

    async def __aexit__(self, *_):
        await self.client.leave()
        await self.http.close()

    async def text(self, method, path, **options):
        async with self.http.request(method, path, **options) as answer:
            assert answer.ok, answer
            return await answer.text()

    async def json(self, method, path):
        async with self.http.request(method, path) as answer:
            return await answer.json()


def test_a_job_tells_all_tabs_of_its_owner_how_far_it_is(address):
    async def play():
        async with Tab(address, "ann") as ann, Tab(address, "ann") as second, Tab(address, "bob") as bob:
            job = (await ann.json("POST", "/jobs"))["job"]
            for tab in (ann, second):
                await tab.client.heard("progress", 10)
                told = [("progress", {"job": job, "percent": percent}) for percent in range(10, 101, 10)]
                assert tab.client.events == told
            assert await second.json("GET", "/jobs") == {job: 100}
            assert (await bob.json("GET", "/jobs"), bob.client.events) == ({}, [])

    asyncio.run(play())


def test_who_has_not_logged_in_has_nothing(address):
    async def play():
        async with aiohttp.ClientSession(address) as http:
            for method, path in (("GET", "/token"), ("GET", "/jobs"), ("POST", "/jobs")):
                async with http.request(method, path) as answer:
                    assert answer.status == 401, path
        nobody = Client("nobody", ["/"])
        with pytest.raises(Exception, match="failed to connect"):
            await nobody.connect(address, auth={"token": ""}, transports=["websocket"])
        assert nobody.refusals["/"] == {"message": "Token missing", "data": {"code": "unauthorized"}}

    asyncio.run(play())
