"""The units and drop-ins, judged by systemd's own tools."""

import os
import subprocess
from pathlib import Path

import pytest

from daemon.systemd import UnitError, escape_instance, write_dropin

UNITS = Path(__file__).parents[2] / "systemd"
NAMES = ["fxd.service", "fxd@.service"]
AWKWARD = "films 100% of \"A\" \\ B 'c' $HOME; #1 é"


def installed(name: str, folder: Path) -> Path:
    """The unit as an installation under `folder` has it: the command of ExecStart exists."""
    command = folder / "opt/fxd/bin/fxd"
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    units = folder / "units"
    units.mkdir(exist_ok=True)
    text = (UNITS / name).read_text()
    assert "ExecStart=/opt/fxd/bin/fxd run" in text
    (units / name).write_text(text.replace("ExecStart=/opt/fxd", f"ExecStart={folder}/opt/fxd"))
    return units


def analyze(
    *words: str, units: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze; `units` is searched before systemd's own folders."""
    search = {} if units is None else {"SYSTEMD_UNIT_PATH": f"{units}:"}
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *words],
        env=os.environ | environment | search | {"SYSTEMD_COLORS": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def clean(unit: str, units: Path) -> None:
    """Hold that systemd loads the unit and says nothing about it."""
    told = analyze("verify", "--man=no", "--recursive-errors=no", unit, units=units)
    said = told.stdout + told.stderr
    assert told.returncode == 0, said
    assert not said.strip(), said


@pytest.mark.parametrize("name", NAMES)
def test_unit_verifies(name, tmp_path):
    """Every key is known to this systemd and every value is understood."""
    units = installed(name, tmp_path)
    clean(name.replace("@.", "@dailies."), units)


def test_verify_sees_faults(tmp_path):
    """The check above is worth something: a wrong key is reported."""
    units = installed("fxd.service", tmp_path)
    with (units / "fxd.service").open("a") as out:
        out.write("\n[Service]\nProtectNonsense=yes\n")
    told = analyze("verify", "--man=no", "fxd.service", units=units)
    assert "ProtectNonsense" in told.stderr


@pytest.mark.parametrize("name", NAMES)
def test_unit_is_hardened(name):
    """The exposure is at most 2.5 of 10."""
    told = analyze("security", "--offline=true", "--threshold=25", str(UNITS / name))
    assert told.returncode == 0, told.stdout[-600:]


@pytest.mark.parametrize("name", NAMES)
def test_a_late_share_is_waited_for(name, tmp_path):
    """Neither the number of starts nor an exit code ends the trying."""
    units = installed(name, tmp_path)
    lines = [line.strip() for line in loaded(name.replace("@.", "@a."), units).splitlines()]
    assert "Restart: on-failure" in lines
    text = (UNITS / name).read_text()
    assert "\nStartLimitIntervalSec=0\n" in text
    assert "RestartPreventExitStatus" not in text


def test_a_mount_may_start_the_service(tmp_path):
    """A mount that wants the service which requires it makes no circle."""
    units = installed("fxd@.service", tmp_path)
    write_dropin("a", Path("/srv/films"), Path("/etc/fxd/a.yaml"), "fxd", "fxd", root=units)
    (units / "srv-films.mount").write_text("[Mount]\nWhat=nas:/films\nWhere=/srv/films\nType=nfs\n")
    (units / "srv-films.mount.wants").mkdir()
    (units / "srv-films.mount.wants/fxd@a.service").symlink_to("../fxd@.service")
    told = loaded("srv-films.mount", units)
    assert "Wants: fxd@a.service" in told
    clean("srv-films.mount", units)


@pytest.mark.parametrize("name", NAMES)
def test_gpu_stays_reachable(name):
    """What CUDA needs is not closed: its devices, and memory that is written and then run."""
    text = (UNITS / name).read_text()
    assert "\nPrivateDevices=no\n" in text
    assert "\nMemoryDenyWriteExecute=no\n" in text
    for device in ("", "-frontend", "ctl", "-uvm", "-caps"):
        assert f"\nDeviceAllow=char-nvidia{device} rw\n" in text


def test_units_differ_in_names_only():
    """The two units are one, but for the paths of an instance."""
    one, each = ((UNITS / name).read_text().splitlines() for name in NAMES)
    same = [line.replace("/%i", "") for line in each]
    odd = [line for line in one if line not in same]
    assert len(one) == len(each)
    assert all(word.startswith(("#", "Description=", "Environment=FXD_CONFIG")) for word in odd)


@pytest.mark.parametrize("instance", ["dailies", "studio-a", "Bühne 7%"])
@pytest.mark.parametrize("folder", ["films", AWKWARD])
def test_dropin_verifies(instance, folder, tmp_path):
    """Any folder and any instance gives a drop-in that systemd understands."""
    units = installed("fxd@.service", tmp_path)
    storage = tmp_path / folder
    write_dropin(
        instance, storage, tmp_path / f"{folder}.yaml", "fxd", "film", state=storage, root=units
    )
    clean(f"fxd@{escape_instance(instance)}.service", units)


def loaded(unit: str, units: Path) -> str:
    """What systemd understood of a unit: its own dump."""
    told = analyze("verify", "--man=no", unit, units=units, SYSTEMD_LOG_LEVEL="debug")
    return told.stdout


def test_systemd_reads_paths_back(tmp_path):
    """Systemd finds the very folders behind spaces, quotes, backslashes and percent signs."""
    units = installed("fxd@.service", tmp_path)
    storage, state = Path("/srv") / AWKWARD, Path("/data") / f"a:b {AWKWARD}"
    config = Path("/etc/fxd") / f"{AWKWARD}.yaml"
    write_dropin("a", storage, config, "film", "studio", state=state, root=units)
    lines = [line.strip() for line in loaded("fxd@a.service", units).splitlines()]
    assert f"ReadWritePaths: {storage} {state}" in lines
    assert f"RequiresMountsFor: {storage} (origin-file)" in lines
    assert f"RequiresMountsFor: {state} (origin-file)" in lines
    assert f"Environment: FXD_CONFIG={config}" in lines
    assert "User: film" in lines
    assert "Group: studio" in lines
    assert "ProtectHome: yes" in lines


@pytest.mark.parametrize(
    ("storage", "homes"), [("/home/a:b c%/films", "tmpfs"), ("/tmp/films", "yes")]
)
def test_hidden_storage_is_bound(storage, homes, tmp_path):
    """A storage among the folders that the unit hides is shown to it alone."""
    units = installed("fxd@.service", tmp_path)
    write_dropin("a", Path(storage), Path("/etc/fxd/a.yaml"), "fxd", "fxd", root=units)
    lines = [line.strip() for line in loaded("fxd@a.service", units).splitlines()]
    assert f"BindPaths: {storage}:{storage}:rbind" in lines
    assert f"ProtectHome: {homes}" in lines


def test_dropin_for_one_storage(tmp_path):
    """Without a name the drop-in belongs to fxd.service; usual values are left out."""
    file = write_dropin(
        None,
        Path("/srv/films"),
        Path("/etc/fxd/config.yaml"),
        "fxd",
        "1000",
        state=Path("/var/lib/fxd"),
        root=tmp_path,
    )
    assert file == tmp_path / "fxd.service.d" / "storage.conf"
    assert file.read_text().splitlines() == [
        "[Unit]",
        'RequiresMountsFor="/srv/films"',
        "",
        "[Service]",
        'ReadWritePaths="/srv/films"',
        "User=fxd",
        "Group=1000",
    ]
    assert file.stat().st_mode & 0o777 == 0o644


def test_state_of_another_instance_is_opened(tmp_path):
    """Systemd makes /var/lib/fxd/NAME writable and nothing beside it."""
    own, other = (
        write_dropin(
            "a", Path("/srv"), Path("/etc/fxd/a.yaml"), "fxd", "fxd", state=state, root=tmp_path
        ).read_text()
        for state in (Path("/var/lib/fxd/a"), Path("/var/lib/fxd/b"))
    )
    assert "/var/lib" not in own
    assert 'ReadWritePaths="/srv" "/var/lib/fxd/b"' in other


def test_dropin_follows_symlinks(tmp_path):
    """Mounts belong to real paths: the one behind a symlink is named."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    config = Path("/etc/fxd/a.yaml")
    file = write_dropin("a", tmp_path / "link", config, "fxd", "fxd", root=tmp_path)
    assert f'ReadWritePaths="{tmp_path}/real"' in file.read_text()


def test_dropin_is_replaced_whole(tmp_path):
    """Writing again leaves the new file and nothing beside it."""
    for storage in ("/srv/a", "/srv/b"):
        config = Path("/etc/fxd/a.yaml")
        file = write_dropin("a", Path(storage), config, "fxd", "fxd", root=tmp_path)
    assert "/srv/b" in file.read_text()
    assert [entry.name for entry in file.parent.iterdir()] == ["storage.conf"]


def test_failed_write_leaves_nothing(tmp_path):
    """When the file cannot be put in place, no half of it stays."""
    (tmp_path / "fxd@a.service.d" / "storage.conf").mkdir(parents=True)
    with pytest.raises(OSError, match=r"storage\.conf"):
        write_dropin("a", Path("/srv"), Path("/etc/fxd/a.yaml"), "fxd", "fxd", root=tmp_path)
    assert [entry.name for entry in (tmp_path / "fxd@a.service.d").iterdir()] == ["storage.conf"]


@pytest.mark.parametrize("name", ["dailies", "studio-a", "Studio A", "Bühne:7_x@y", "50%", "a.b"])
def test_escaping_is_systemctls(name):
    """The folder of the drop-in is the one of the unit that `systemctl start` would name."""
    told = subprocess.run(
        ["systemd-escape", "--mangle", f"fxd@{name}.service"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == f"fxd@{escape_instance(name)}.service"


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\nb", "\0", "é" * 100])
def test_bad_names_are_refused(name):
    """A name that could leave the folder or vanish is refused."""
    with pytest.raises(UnitError):
        escape_instance(name)


@pytest.mark.parametrize(
    ("storage", "config", "user", "group"),
    [
        ("films", "/etc/fxd/a.yaml", "fxd", "fxd"),
        ("/", "/etc/fxd/a.yaml", "fxd", "fxd"),
        ("/srv/a\nExecStartPre=x", "/etc/fxd/a.yaml", "fxd", "fxd"),
        ("/srv/a", "a.yaml", "fxd", "fxd"),
        ("/srv/a", "/etc/fxd/a\n.yaml", "fxd", "fxd"),
        ("/srv/a", "/etc/fxd/a.yaml", "", "fxd"),
        ("/srv/a", "/etc/fxd/a.yaml", "fxd", "f xd"),
        ("/srv/\udcff", "/etc/fxd/a.yaml", "fxd", "fxd"),
    ],
)
def test_bad_values_are_refused(storage, config, user, group, tmp_path):
    """Nothing is written when a value cannot stand in a unit file."""
    with pytest.raises(UnitError):
        write_dropin("a", Path(storage), Path(config), user, group, root=tmp_path)
    assert list(tmp_path.iterdir()) == []
