"""The package as users install it: `pip install server/python`."""

import shutil
import subprocess
import sys
import venv

import pytest

from conftest import REPOSITORY, VERSIONS

SOURCE = REPOSITORY / "server/python"
# Says where the package is, and which version it says that it is.
TELL = "import socketio_server; print(socketio_server.__file__, socketio_server.__version__, *socketio_server.__all__)"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A Python that has the package and nothing else, and the folder of its packages."""
    folder = tmp_path_factory.mktemp("package")
    # Without what was built before; pip builds within the folder.
    shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "-q", folder / "source"], check=True)
    minor = "python%d.%d" % sys.version_info[:2]
    return python, folder / "venv/lib" / minor / "site-packages"


def test_it_has_all_files_and_the_version_of_the_server(installed):
    _, packages = installed
    files = {path.name for path in (packages / "socketio_server").glob("*.py")}
    assert files == {path.name for path in (SOURCE / "socketio_server").glob("*.py")}
    manifest = (REPOSITORY / "Cargo.toml").read_text()
    version = manifest.split('\nversion = "')[1].split('"')[0]
    assert (packages / f"socketio_server_bridge-{version}.dist-info/METADATA").exists()


def test_it_brings_nothing_along(installed):
    _, packages = installed
    found = {path.name.split("-")[0] for path in packages.glob("*.dist-info")}
    assert found <= {"socketio_server_bridge", "pip", "setuptools"}


@pytest.mark.parametrize("version", VERSIONS)
def test_it_works_beside_the_python_socketio_of_the_application(installed, version):
    python, packages = installed
    others = REPOSITORY / f"target/bridge/{version}/lib" / packages.parent.name / "site-packages"
    code = f"import sys; sys.path.append({str(others)!r}); {TELL}"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    file, version, *names = done.stdout.split()
    assert file == str(packages / "socketio_server/__init__.py")
    assert (packages / f"socketio_server_bridge-{version}.dist-info").exists()
    assert names == ["AsyncManager", "Manager", "attach"]
