"""What a user of the library installs."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_holds_the_library_alone(tmp_path: Path):
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")

    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    version = "kizuna-0.1.0.dist-info"
    assert {name.split("/")[0] for name in names} == {"kizuna", version}
    assert f"{version}/licenses/LICENSE" in names
    assert {name for name in names if name.endswith(".py")} == {
        path.relative_to(ROOT / "app").as_posix() for path in (ROOT / "app" / "kizuna").rglob("*.py")
    }


def test_the_checkout_offers_the_names_that_the_browser_knows():
    find = "import chat.protocol, backend, kizuna, tools.build.vendor; print(chat.protocol.__file__)"
    found = subprocess.run([sys.executable, "-P", "-c", find], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(ROOT / "app" / "chat" / "protocol.py")
