"""Checkpoints are read without trust: what is no tensor is refused, sizes are checked."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from models.errors import ModelError
from models.unpickle import read_checkpoint


def _tuple(values: tuple[int, ...]) -> str:
    return "(" + "".join(f"I{value}\n" for value in values) + "t"


def _tensor(
    key: str, count: int, shape: tuple[int, ...], strides: tuple[int, ...], kind: str = "Float"
) -> str:
    """The pickle of one tensor, as torch writes it."""
    storage = f"(Vstorage\nctorch\n{kind}Storage\nV{key}\nVcpu\nI{count}\ntQ"
    hooks = "ccollections\nOrderedDict\n(tR"
    arguments = f"({storage}I0\n{_tuple(shape)}{_tuple(strides)}I00\n{hooks}t"
    return f"ctorch._utils\n_rebuild_tensor_v2\n{arguments}R"


def _state(**tensors: str) -> str:
    return "(d" + "".join(f"V{name}\n{tensor}s" for name, tensor in tensors.items()) + "."


def _write(path: Path, pickle: str, compress: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compress) as archive:
        archive.writestr("archive/data.pkl", pickle.encode())
        for name, content in members.items():
            archive.writestr("archive/" + name.replace("__", "/"), content)
    return path


VALUES = np.arange(6, dtype="<f4")


def test_reads_tensors_with_their_strides(tmp_path: Path) -> None:
    """A transposed view comes out as the array that it stands for."""
    pickle = _state(plain=_tensor("0", 6, (2, 3), (3, 1)), turned=_tensor("0", 6, (3, 2), (1, 3)))
    state = read_checkpoint(_write(tmp_path / "a.pth", pickle, data__0=VALUES.tobytes()))
    assert list(state) == ["plain", "turned"]
    np.testing.assert_array_equal(state["plain"], VALUES.reshape(2, 3))
    np.testing.assert_array_equal(state["turned"], VALUES.reshape(2, 3).T)
    assert state["turned"].flags.owndata
    assert state["turned"].flags.c_contiguous


def test_reads_scalars_and_other_types(tmp_path: Path) -> None:
    """A counter is a tensor without dimensions."""
    pickle = _state(steps=_tensor("0", 1, (), (), "Long"))
    content = np.array([7], "<i8").tobytes()
    state = read_checkpoint(_write(tmp_path / "a.pth", pickle, data__0=content))
    assert state["steps"].shape == ()
    assert state["steps"] == 7


def test_runs_nothing(tmp_path: Path) -> None:
    """A pickle that calls a program is refused before the program starts."""
    mark = tmp_path / "mark"
    pickle = f"cos\nsystem\n(Vtouch {mark}\ntR."
    with pytest.raises(ModelError, match=r"os\.system"):
        read_checkpoint(_write(tmp_path / "evil.pth", pickle))
    assert not mark.exists()


@pytest.mark.parametrize(
    "pickle",
    [
        "cbuiltins\neval\n(V1\ntR.",
        "cbuiltins\ngetattr\n.",
        "ctorch\nload\n.",
        "ctorch._utils\n_rebuild_parameter\n.",
        "(lp0\n.",
        "(dVa\nI5\ns.",
        "(dI1\nI5\ns.",
        "(Vmodule\nVx\ntQ.",
        "ctorch._utils\n_rebuild_tensor_v2\n(dVa\nI1\nsb.",
        "ccollections\nOrderedDict\n(dVpopitem\nI1\nsb.",
        "not a pickle",
        "",
    ],
)
def test_refuses_what_is_no_dictionary_of_tensors(tmp_path: Path, pickle: str) -> None:
    """Other globals, other objects and damage all end in one kind of error."""
    with pytest.raises(ModelError, match=r"bad\.pth"):
        read_checkpoint(_write(tmp_path / "bad.pth", pickle))


@pytest.mark.parametrize(
    "tensor",
    [
        _tensor("0", 6, (7,), (1,)),
        _tensor("0", 6, (2, 3), (6, 1)),
        _tensor("0", 6, (1000000, 1000000), (0, 0)),
        _tensor("0", 7, (7,), (1,)),
        _tensor("0", 6, (-1,), (1,)),
        _tensor("0", 6, (2, 3), (1,)),
        _tensor("0", 6, (2,), (-1,)),
        _tensor("0", 6, (1,) * 17, (1,) * 17),
        _tensor("missing", 6, (6,), (1,)),
        _tensor("0", -1, (6,), (1,)),
    ],
)
def test_refuses_sizes_that_lie(tmp_path: Path, tensor: str) -> None:
    """A view may neither leave its storage nor multiply it."""
    path = _write(tmp_path / "a.pth", _state(x=tensor), data__0=VALUES.tobytes())
    with pytest.raises(ModelError):
        read_checkpoint(path)


def test_refuses_many_copies_of_one_storage(tmp_path: Path) -> None:
    """A small file cannot fill the memory by naming its bytes again and again."""
    tensors = {f"t{n}": _tensor("0", 50_000, (50_000,), (1,)) for n in range(50)}
    path = _write(tmp_path / "a.pth", _state(**tensors), data__0=bytes(200_000))
    with pytest.raises(ModelError, match="outgrow"):
        read_checkpoint(path)


def test_refuses_compression(tmp_path: Path) -> None:
    """A compressed member could unpack to any size."""
    pickle = _state(x=_tensor("0", 6, (6,), (1,)))
    path = _write(tmp_path / "a.pth", pickle, zipfile.ZIP_DEFLATED, data__0=VALUES.tobytes())
    with pytest.raises(ModelError, match="compressed"):
        read_checkpoint(path)


def test_refuses_big_endian(tmp_path: Path) -> None:
    """Its bytes would be read the wrong way round."""
    pickle = _state(x=_tensor("0", 6, (6,), (1,)))
    path = _write(tmp_path / "a.pth", pickle, byteorder=b"big", data__0=VALUES.tobytes())
    with pytest.raises(ModelError, match="big-endian"):
        read_checkpoint(path)


def test_refuses_what_is_no_archive(tmp_path: Path) -> None:
    """Old checkpoints are bare pickles; missing files are missing."""
    path = tmp_path / "old.pth"
    path.write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(ModelError, match=r"old\.pth"):
        read_checkpoint(path)
    with pytest.raises(ModelError, match=r"none\.pth"):
        read_checkpoint(tmp_path / "none.pth")


def test_refuses_an_archive_of_something_else(tmp_path: Path) -> None:
    """Any zip file that holds no single pickle."""
    path = tmp_path / "other.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "nothing here")
    with pytest.raises(ModelError, match=r"data\.pkl"):
        read_checkpoint(path)
