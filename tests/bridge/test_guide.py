"""docs/flask.md shows the files that its reader uses."""

import re

import pytest

from conftest import REPOSITORY
from stage import EXAMPLES

GUIDE = (REPOSITORY / "docs/flask.md").read_text()


@pytest.mark.parametrize(("language", "file"), [("python", "flask_tasks_server.py"), ("toml", "server.toml")])
def test_the_guide_shows_what_is_in_the_examples(language, file):
    listing = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[1]
    assert listing in (EXAMPLES / file).read_text()


def test_all_that_the_guide_leads_to_is_there():
    for path in re.findall(r"\]\(([^#)]+)", GUIDE):
        assert path.startswith("https://") or (REPOSITORY / "docs" / path).exists(), path


def test_the_application_knows_nothing_of_the_server():
    for file in ("flask_tasks.py", "fastapi_jobs.py"):
        code = (EXAMPLES / file).read_text().split('"""', 2)[2]
        assert "socketio_server" not in code and "attach(" not in code
