"""The same clients at an application of FastAPI and `socketio.AsyncServer` that is served alone, by one process, and
behind socketio-server, by several."""

import pytest

from conftest import VERSIONS
from stage import compare, ends, stages  # noqa: F401


async def rooms(scene):
    ann, bob, cleo = await scene.crowd("ann", "bob", "cleo")
    for client in (ann, bob):
        scene.acks.append(await client.ask("watch", "paint"))
    await ann.heard("watched")
    scene.acks.append(await cleo.ask("watch", "dry"))
    scene.acks.append(await cleo.ask("watch", "paint"))
    await ann.heard("watched")
    await bob.heard("watched")
    scene.acks.append(await bob.ask("unwatch", "paint"))
    scene.acks.append(await ann.ask("upload", "paint", "é🎉"))
    await cleo.heard("uploaded")


async def sessions(scene):
    """Each socket has one of its own."""
    ann, bob = await scene.crowd("ann", "bob")
    for client in (ann, bob, ann, ann):
        scene.acks.append(await client.ask("watch", "nothing"))


async def arguments(scene):
    ann, bob = await scene.crowd("ann", "bob")
    for client in (ann, bob):
        scene.acks.append(await client.ask("watch", "paint"))
    for content in (b"\0\xff" * 1000, b"", [1, 2, 3], [None, {"deep": b"\1"}]):
        scene.acks.append(await bob.ask("upload", "paint", content))
        await ann.heard("uploaded")


async def failures(scene):
    """Neither what fails nor what nobody handles is answered."""
    (ann,) = await scene.crowd("ann")
    for event in ("fail", "nobody", "watch"):
        await ann.emit(event, callback=lambda *args: scene.acks.append(args))
    scene.acks.append(await ann.ask("watch", "paint"))


async def tasks(scene):
    ann, bob = await scene.crowd("ann", "bob")
    for client in (ann, bob):
        scene.acks.append(await client.ask("watch", "paint"))
    await ann.heard("watched")
    scene.acks.append(await bob.ask("start", "paint", 0.5))
    for client in (ann, bob):
        await client.heard("started")
        await client.heard("progress", 10)
        await client.heard("done")


async def questions(scene):
    """A handler waits for a client's answer, or goes on and is called."""
    ann, bob = await scene.crowd("ann", "bob")
    for client in (ann, bob):
        scene.acks.append(await client.ask("watch", "paint"))
    await ann.heard("watched")
    bob.answers["confirm"] = "no"
    scene.acks.append(await bob.ask("remove", "paint"))
    bob.answers["confirm"] = "yes"
    scene.acks.append(await bob.ask("remove", "paint"))
    await ann.heard("removed")
    await bob.heard("removed")
    scene.acks.append(await ann.ask("watch", "paint"))
    ann.answers["question"] = ("blue", {"or": ["red", None]})
    scene.acks.append(await ann.ask("poll", "which?"))
    await ann.heard("answered")
    await bob.heard("answered")


async def routes(scene):
    ann, bob = await scene.crowd("ann", "bob")
    for number in range(10):
        await bob.ask("watch", f"job {number}")
    for number in range(10):
        scene.acks.append(await scene.request("POST", f"/jobs/job {number}/finish?result=well"))
        await bob.heard("finished")
    scene.acks.append(await scene.request("DELETE", "/sockets/" + ann.get_sid()))
    await ann.gone()
    await bob.heard("went")


async def refusals(scene):
    await scene.client("nobody")
    await scene.client("ann", "old", query="/?old")
    ann = await scene.client("ann", namespaces=("/", "/admin"), wait=False)
    await ann.refused("/admin")
    scene.acks.append(await ann.ask("watch", "paint"))


async def namespaces(scene):
    (ann,) = await scene.crowd("ann")
    admin = await scene.client("admin", namespaces=("/", "/admin"))
    await ann.heard("came")
    scene.acks.append(await admin.ask("notice", "soon", namespace="/admin"))
    await ann.heard("notice")
    await admin.heard("notice")
    scene.acks.append(await admin.ask("kick", "ann", namespace="/admin"))
    await ann.heard("kicked")


SCENES = [rooms, sessions, arguments, failures, tasks, questions, routes, refusals, namespaces, ends]


@pytest.mark.parametrize("play", SCENES, ids=lambda play: play.__name__)
@pytest.mark.parametrize("version", VERSIONS)
def test_clients_notice_no_difference(stages, version, play):  # noqa: F811
    compare(stages(version, "fastapi_jobs"), play)
