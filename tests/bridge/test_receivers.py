"""Applications without the bridge, as docs/server.md shows them: they take hooks by a library of Standard Webhooks."""

import asyncio
import os
import re
import urllib.error
import urllib.request

import pytest

from conftest import LIMIT, REPOSITORY, VERSIONS, Process
from stage import SERVER, Client

PAGE = (REPOSITORY / "docs/server.md").read_text()


def shown(language, file):
    """The block of the page that begins with what it needs, and how it is started."""
    comment = "#" if language == "python" else "//"
    return re.search(rf"```{language}\n({comment} .*{re.escape(file)}\n.*?)```", PAGE, re.DOTALL)[1]


@pytest.fixture(params=["flask", "express"])
def receiver(request, tmp_path):
    """One of them and the server in front of it, with a secret that is made as the page says."""
    command = re.search(r"```\n(echo .*hooks\.key)\n```", PAGE)[1]
    assert os.system(f"cd '{tmp_path}' && {command}") == 0
    if request.param == "flask":
        (tmp_path / "receiver.py").write_text(shown("python", "receiver run"))
        python = REPOSITORY / f"target/bridge/{VERSIONS[-1]}/bin/python"
        command = [python, "-m", "flask", "--app", "receiver", "run", "--port", "0"]
        app = Process(command, r"Running on (http://\S+)", tmp_path)
    else:
        (tmp_path / "node_modules").symlink_to(REPOSITORY / "tests/js/node_modules")
        end = 'app.listen(5000, "127.0.0.1");\n'
        text = shown("js", "receiver.mjs")
        assert text.endswith(end)
        listen = 'const on = app.listen(0, "127.0.0.1", () => console.log("on http://127.0.0.1:" + on.address().port));\n'
        (tmp_path / "receiver.mjs").write_text(text.replace(end, listen))
        app = Process(["node", "receiver.mjs"], r"on (http://\S+)", tmp_path)
    url = app.match[1] + "/_socketio"
    (tmp_path / "server.toml").write_text(f'[[backend]]\nurl = "{url}"\nsecret_file = "hooks.key"\n')
    options = ["--listen", "127.0.0.1:0", "--admin-listen", ""]
    server = Process([SERVER, "--config", "server.toml", *options], r"listening on (http://\S+)", tmp_path)
    yield server, url
    server.stop()
    app.stop()


def test_what_the_page_shows_is_an_application(receiver):
    server, url = receiver

    async def play():
        ann, bob, nobody = (Client(name, ["/"]) for name in ("ann", "bob", "nobody"))
        for client in (ann, bob):
            await client.connect(server.match[1], auth={"name": client.name}, transports=["websocket"])
        assert await ann.ask("say", "héllo") == "told"
        await bob.heard("said")
        assert ann.events == bob.events == [("said", "ann", "héllo")]
        with pytest.raises(Exception, match="failed to connect"):
            await nobody.connect(server.match[1], auth={}, transports=["websocket"])
        assert nobody.refusals["/"]["message"] == "who are you?"
        await bob.emit("sya", "hello")
        await asyncio.to_thread(server.logged, 'nobody handles this event namespace="/" event="sya"')
        for client in (ann, bob):
            await client.leave()

    asyncio.run(play())
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url, b'{"type":"event"}', LIMIT)
