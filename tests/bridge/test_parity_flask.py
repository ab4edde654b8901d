"""The same clients at a Flask-SocketIO application that is served alone, by several threads, and behind socketio-server,
by several processes and threads."""

import json
import subprocess

import pytest

from conftest import LIMIT, REPOSITORY, VERSIONS
from stage import compare, ends, stages  # noqa: F401


async def rooms(scene):
    ann, bob, cleo = await scene.crowd("ann", "bob", "cleo")
    for client in (ann, bob, cleo):
        scene.acks.append(await client.ask("join", "team"))
    await ann.heard("joined", 2)
    await bob.heard("joined")
    scene.acks.append(await cleo.ask("join", "other"))
    scene.acks.append(await bob.ask("say", "team", "hello"))
    for client in (ann, bob, cleo):
        await client.heard("said")
    scene.acks.append(await cleo.ask("leave", "team"))
    await ann.heard("left")
    await bob.heard("left")
    scene.acks.append(await ann.ask("say", "team", "is somebody there?"))
    await bob.heard("said")
    scene.acks.append(await cleo.ask("say", "other", "no"))
    await cleo.heard("said")
    scene.acks.append(await ann.ask("announce", "all"))
    for client in (ann, bob, cleo):
        await client.heard("announced")


async def sessions(scene):
    """What a handler keeps is kept for its socket; the cookie stays as it was."""
    ann, bob = await scene.crowd("ann", "bob")
    again = await scene.client("ann", "ann again")
    await ann.heard("came")
    await bob.heard("came")
    for client in (ann, bob, ann, again, ann):
        scene.acks.append(await client.ask("say", "nowhere", "?"))


async def arguments(scene):
    ann, bob = await scene.crowd("ann", "bob")
    scene.acks.append(await ann.ask("join", "é🎉"))
    scene.acks.append(await bob.ask("join", "é🎉"))
    await ann.heard("joined")
    scene.acks.append(await bob.ask("attach", "é🎉", {"deep": [None, 1.5]}, b"\0\xff" * 1000))
    await ann.heard("attached")
    scene.acks.append(await ann.ask("attach", "é🎉", "", b""))
    await bob.heard("attached")


async def failures(scene):
    """A handler of errors is called, and what it returns is the ack; what nobody handles has none."""
    (ann,) = await scene.crowd("ann")
    scene.acks.append(await ann.ask("say", "team", ""))
    await ann.heard("failed")
    await ann.emit("nobody", 1, callback=lambda *args: scene.acks.append(args))
    await ann.emit("say", "too few", callback=lambda *args: scene.acks.append(args))
    await ann.heard("failed")
    scene.acks.append(await ann.ask("join", "team"))


async def tasks(scene):
    ann, bob = await scene.crowd("ann", "bob")
    again = await scene.client("ann", "ann again")
    scene.acks.append(await ann.ask("start", "paint", 0.5))
    for client in (ann, again):
        await client.heard("started")
        await client.heard("progress", 10)
        await client.heard("done")
    scene.acks.append(await ann.ask("start", "dry", 600))
    for client in (ann, again):
        await client.heard("started")
    scene.acks.append(await bob.ask("cancel", 2))
    scene.acks.append(await again.ask("cancel", 2))
    for client in (ann, again):
        await client.heard("cancelled")
        client.answers["confirm"] = "yes"
    await ann.emit("clear")
    for client in (ann, again):
        await client.heard("cleared")


async def questions(scene):
    ann, bob = await scene.crowd("ann", "bob")
    for client in (ann, bob):
        for answer, outcome in (("yes", "cleared"), ("no", "kept")):
            client.answers["confirm"] = answer
            scene.acks.append(await client.ask("clear"))
            await client.heard(outcome)


async def routes(scene):
    ann, bob = await scene.crowd("ann", "bob")
    for number in range(20):
        scene.acks.append(await scene.request("POST", "/remind/bob", data={"text": str(number)}))
    await bob.heard("reminder", 20)
    cookies = {"Cookie": await scene.cookie("ann")}
    scene.acks.append(await scene.request("POST", "/logout", headers=cookies, allow_redirects=False))
    await ann.heard("logged_out")


async def refusals(scene):
    await scene.client(None, "nobody")
    await scene.client("ann", "old", auth={"version": 1})
    ann = await scene.client("ann", namespaces=("/", "/admin"), wait=False)
    await ann.refused("/admin")
    scene.acks.append(await ann.ask("join", "team"))


async def namespaces(scene):
    (ann,) = await scene.crowd("ann")
    admin = await scene.client("admin", namespaces=("/", "/admin"))
    await ann.heard("came")
    scene.acks.append(await admin.ask("tasks", namespace="/admin"))
    scene.acks.append(await admin.ask("notice", "soon", namespace="/admin"))
    await ann.heard("notice")
    await admin.heard("notice")
    scene.acks.append(await ann.ask("join", "team"))
    scene.acks.append(await admin.ask("close", "team", namespace="/admin"))
    await ann.heard("closed")
    scene.acks.append(await admin.ask("say", "team", "is somebody there?"))
    scene.acks.append(await ann.ask("join", "other"))


SCENES = [rooms, sessions, arguments, failures, tasks, questions, routes, refusals, namespaces, ends]


@pytest.mark.parametrize("play", SCENES, ids=lambda play: play.__name__)
@pytest.mark.parametrize("version", VERSIONS)
def test_clients_notice_no_difference(stages, version, play):  # noqa: F811
    compare(stages(version, "flask_tasks"), play)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_javascript_client_notices_no_difference(stages, version):  # noqa: F811
    alone, behind = (javascript(stage.address) for stage in stages(version, "flask_tasks"))
    assert alone["websocket"]["reason"] == "io server disconnect"
    assert behind == alone


def javascript(origin):
    command = ["node", REPOSITORY / "tests/js/bridge.mjs", origin]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3 * LIMIT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
