"""The applications of these tests behind the server: in which order a client hears what they emit, and how soon."""

import asyncio
import time

import pytest

from conftest import KINDS, VERSIONS
from stage import Served, connected

# Seconds that TCP would hold back what is written in two parts.
DELAYED = 0.04


@pytest.fixture(scope="module", params=KINDS)
def served(request, tmp_path_factory):
    stage = Served(VERSIONS[-1], request.param, tmp_path_factory.mktemp(request.param))
    yield stage
    stage.stop()


def test_what_comes_behind_a_question_does_not_wait_for_its_answer(served):
    async def play():
        async with connected(served, "ann") as [ann]:
            ann.answers["question"] = answer = asyncio.Future()
            await ann.emit("ask-later", "why?")
            await ann.heard("behind")
            answer.set_result(("yes", 1))
            await ann.heard("answered")
            assert [event for event, *_ in ann.events] == ["before", "question", "behind", "answered"]
            assert ann.events[-1] == ("answered", "yes", 1)

    asyncio.run(play())


def test_nothing_waits_for_the_other_sides_tcp(served):
    async def play():
        async with connected(served, "ann") as [ann]:
            ann.answers["question"] = "yes"

            async def refused():
                url = served.address + "/socket.io/?transport=none"
                async with ann.eio.http.get(url) as answer:
                    assert answer.status == 400

            async def echo():
                assert await ann.ask("echo", "why?") == "why?"

            async def ask():
                assert await ann.ask("ask", "why?") == "yes"

            async def work():
                await ann.ask("work")
                await ann.heard("step", 3)

            # What the server answers by itself, a hook, and hooks with emits. How long each takes depends on the
            # machine, which may be slow and stall: so the shortest times are compared.
            times = {what: [] for what in (refused, echo, ask, work)}
            for _ in range(40):
                for what, taken in times.items():
                    start = time.monotonic()
                    await what()
                    taken.append(time.monotonic() - start)
            # TCP delays nothing at the start of a connection.
            least = {what.__name__: min(taken[10:]) for what, taken in times.items()}
            assert least["echo"] < least["refused"] + DELAYED, least
            assert least["ask"] < least["echo"] + DELAYED, least
            assert least["work"] < least["echo"] + DELAYED, least

    asyncio.run(play())


def test_handlers_that_wait_for_each_other_are_heard_in_order(served):
    async def play():
        async with connected(served, "ann", "bob") as [ann, bob]:
            waiting = asyncio.ensure_future(ann.ask("wait-for-other"))
            await bob.ask("other")
            await waiting
            await bob.heard("in order", 3)
            assert [args for event, args in bob.events if event == "in order"] == [1, 2, 3]

    asyncio.run(play())


@pytest.mark.parametrize("served", ["asgi"], indirect=True)
def test_tasks_are_heard_in_the_order_in_which_they_emitted(served):
    async def play():
        async with connected(served, "ann") as [ann]:
            order = await ann.ask("many-tasks")
            await ann.heard("ended")
            heard = [args for event, *args in ann.events if event in ("started", "of a task", "ended")]
            assert heard == [[], *([step] for step in order), []]

    asyncio.run(play())
