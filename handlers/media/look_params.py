"""What can be set about how proxies and contact sheets look."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _full_path(path: str) -> str:
    if not PurePath(path).is_absolute():
        raise ValueError(f"write its full path, from the root on; {path!r} is none")
    return path


FullPath = Annotated[str, AfterValidator(_full_path)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class LookParams(_Strict):
    """The look of proxy and contact sheet: ``auto`` or ``off``, or files that give one.

    ``mode`` auto shows a log picture as a Rec. 709 display would, and applies the
    look that came with the clip; off copies the values. ``lut`` is a file of a kind that
    OpenColorIO reads (.cube, .3dl, .clf, .csp …), made for what the camera recorded, and takes
    the place of the display transform. ``cdl`` is a .cdl, .cc or .ccc file,
    applied before; ``cdl_id`` says which correction of it. As text, "auto" and "off" are short
    for the mode alone.
    """

    mode: Literal["auto", "off"] = "auto"
    lut: FullPath | None = None
    cdl: FullPath | None = None
    cdl_id: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        # YAML reads a bare ``off`` as false.
        if value is False:
            return {"mode": "off"}
        return {"mode": value} if isinstance(value, str) else value


class BurnInParams(_Strict):
    """What is written into the proxy's picture: timecode, the clip's name, a watermark.

    ``opacity`` is that of the watermark.
    """

    timecode: bool = False
    name: bool = False
    watermark: str = Field(default="", max_length=80)
    opacity: float = Field(default=0.25, gt=0, le=1)
