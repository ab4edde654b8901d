"""The application restarts, and clients do not notice."""

import asyncio
import os
import signal

import pytest

from conftest import VERSIONS
from stage import Behind, Scene


@pytest.fixture
def stage(tmp_path):
    stage = Behind(VERSIONS[-1], "flask_tasks", tmp_path)
    yield stage
    stage.stop()


def test_a_client_stays_and_its_events_are_handled_by_whichever_worker_there_is(stage):
    log = stage.app

    async def play():
        async with Scene(stage) as scene:
            (ann,) = await scene.crowd("ann")
            sid = ann.get_sid()
            assert await ann.ask("join", "team") == ["team", "user:ann"]
            start = len(log.log)
            os.kill(log.process.pid, signal.SIGHUP)
            said = 0
            while log.log[start:].count("Worker exiting") < 2 or log.log[start:].count("Booting worker") < 2:
                said += 1
                # What the session counts and in which room it is, the server keeps.
                assert await ann.ask("say", "team", str(said)) == ("said", said)
                await ann.heard("said")
            assert await ann.ask("say", "team", "after") == ("said", said + 1)
            assert (ann.get_sid(), ann.ended) == (sid, None)

    asyncio.run(play())
