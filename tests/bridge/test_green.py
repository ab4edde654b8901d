"""Applications in whose environment eventlet and gevent are, as they were served by them, behind the server."""

import asyncio

import pytest

from stage import Served, connected


@pytest.mark.parametrize("mode", ["eventlet", "gevent"])
def test_tasks_and_questions_go_on_in_threads(mode, tmp_path):
    stage = Served("green", "flask", tmp_path, ASYNC_MODE=mode)

    async def play():
        async with connected(stage, "ann") as [ann]:
            await ann.ask("work")
            await ann.heard("step", 3)
            ann.answers["question"] = "yes"
            assert await ann.ask("ask", "why?") == "yes"

    try:
        asyncio.run(play())
    finally:
        stage.stop()
