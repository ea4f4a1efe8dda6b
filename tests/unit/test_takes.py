"""Scene and take from names; looks; takes of one set-up together."""

import cv2
import numpy as np
import pytest

from handlers.edit.look import Look, likeness, look
from handlers.edit.slate_names import Slated, parse_name, scene_of
from handlers.edit.takes import TakeClip, group_takes
from handlers.edit.watch import TakeWatcher
from tests.takes import _footage


@pytest.mark.parametrize(
    ("name", "scene", "take", "camera"),
    [
        ("12A-3", "12A", 3, None),
        ("12-3", "12", 3, None),
        ("012a-03", "12A", 3, None),
        ("12A_3", "12A", 3, None),
        ("12AT03", "12A", 3, None),
        ("S012_T03", "12", 3, None),
        ("s12a-t3", "12A", 3, None),
        ("sc12 tk3", "12", 3, None),
        ("Scene 12A Take 3", "12A", 3, None),
        ("SCENE12A_TAKE3_B", "12A", 3, "B"),
        ("12A-3_B", "12A", 3, "B"),
        ("12A-3 BCAM", "12A", 3, "B"),
        ("DAY04_SC101B_TK12", "101B", 12, None),
        ("Project S12_SH2_T3", "12-2", 3, None),
    ],
)
def test_names_that_say_it(name, scene, take, camera):
    """What slates and recorders write is read."""
    assert parse_name(name) == Slated(scene=scene, take=take, camera=camera)


@pytest.mark.parametrize(
    "name",
    [
        "A001_C003_0815XY",
        "A001C003_150815_R1AB",
        "A_0001C003_220815_123456_a1ABC",
        "A001_08151234_C003",
        "B004_A002_0311",
        "C0001",
        "CLIP0001",
        "GX010012",
        "GOPR0012",
        "DSC_0012",
        "IMG_1234",
        "MVI_1234",
        "DJI_0012",
        "0001AB",
        "2024-03",
        "15-08-24",
        "20240815_123456",
        "001_002",
        "take",
        "interview",
        "",
        "WILD01",
        "bikes",
    ],
)
def test_names_that_do_not(name):
    """Reels, clip counts and dates are never taken for scene and take."""
    assert parse_name(name) is None


def test_scenes_compare():
    """Zeros before a scene and small letters make no other scene."""
    assert scene_of(" 012a ") == "12A"
    assert scene_of("0") == "0"


def seen(scene, begin, count=20, *, shift=(0, 0), gain=1.0):
    """What a watcher sees of real footage of a set-up."""
    watcher = TakeWatcher()
    footage = _footage(scene)
    for number in range(count):
        picture = footage[(begin + number) % len(footage)]
        picture = np.roll(picture, shift, axis=(0, 1)) * gain
        tiny = cv2.resize(picture.clip(0, 255).astype(np.uint8), (48, 27), None, 0, 0, 3)
        watcher.push(tiny)
    return watcher.finish()


def look_of(scene, begin, **changes):
    """The look of some frames of a set-up."""
    return look(seen(scene, begin, **changes), 0, 20)


def test_takes_of_one_setup_look_alike():
    """Other frames of one set-up, framed and exposed otherwise, are alike; others are not."""
    scenes = ["14", "14A", "21", "33", "40"]
    first = [look_of(scene, 0) for scene in scenes]
    other = [look_of(scene, 25, shift=(9, -14), gain=0.75) for scene in scenes]
    for number, one in enumerate(first):
        values = [likeness(one, each) for each in other]
        assert values[number] > 0.45
        assert max(value for place, value in enumerate(values) if place != number) < 0.4


def test_a_look_is_symmetric_and_survives_text():
    """Comparing either way round gives the same, also after writing and reading."""
    one, other = look_of("14", 0), look_of("14A", 5)
    again = Look.from_text(one.to_text())
    assert np.array_equal(again.luma, one.luma)
    assert np.array_equal(again.chroma, one.chroma)
    assert likeness(again, other) == pytest.approx(likeness(other, one))
    assert likeness(one, again) > 0.99


@pytest.mark.parametrize("text", ["", "AAAA", "no base64!", "ä"])
def test_what_is_no_look(text):
    """Other text is refused."""
    with pytest.raises(ValueError, match="a look"):
        Look.from_text(text)


def test_flat_pictures_look_like_nothing():
    """Black pictures say nothing about the set-up; no picture gives no look."""
    watcher = TakeWatcher()
    for _ in range(5):
        watcher.push(np.zeros((27, 48, 3), np.uint8))
    black = look(watcher.finish(), 0, 5)
    assert likeness(black, black) < 0.6
    assert look(watcher.finish(), 5, 9) is None


def grouped(*clips):
    """Groups as sets of names."""
    return [set(group.clips) for group in group_takes(clips)]


def test_without_names_pictures_decide():
    """Clips called by their camera are grouped by what they look like."""
    clips = [
        TakeClip(name=f"A001_C00{number}_0815XY", look=look_of(scene, begin))
        for number, (scene, begin) in enumerate(
            [("33", 0), ("14", 0), ("33", 20), ("21", 0), ("14", 25), ("33", 10)]
        )
    ]
    groups = group_takes(clips)
    assert sorted(len(group.clips) for group in groups) == [1, 2, 3]
    three = next(group for group in groups if len(group.clips) == 3)
    assert three.clips == tuple(f"A001_C00{number}_0815XY" for number in (0, 2, 5))
    assert three.scene is None
    assert three.confidence > 0.6
    assert "the same picture" in three.reasons[0]
    one = next(group for group in groups if len(group.clips) == 1)
    assert one.reasons == ("nothing else looks like it",)


def test_names_decide_before_pictures():
    """Set-ups of one place stay apart by name; a clip without a name joins by its look."""
    clips = [
        TakeClip(name="12-1", look=look_of("33", 0)),
        TakeClip(name="12A-2", look=look_of("14", 30)),
        TakeClip(name="12A-1", look=look_of("14", 0)),
        TakeClip(name="2-1"),
        TakeClip(name="A001_C009_0815XY", look=look_of("14", 15)),
    ]
    groups = group_takes(clips)
    assert [group.scene for group in groups] == ["2", "12", "12A"]
    assert groups[2].clips == ("12A-1", "12A-2", "A001_C009_0815XY")
    assert "scene 12A by name for 2 of 3" in groups[2].reasons
    assert groups[2].confidence > 0.9
    assert not any(group.contradictions for group in groups)
    assert groups[0].reasons == ("scene 2 by name for 1 of 1", "one take only")


def test_metadata_goes_before_the_name():
    """What iXML or ALE say counts more than a file's name; cameras are set-ups of their own."""
    assert grouped(
        TakeClip(name="12A-1", scene="14", take=1),
        TakeClip(name="A001_C001_0815XY", scene="014", take=2),
        TakeClip(name="B001_C001_0815XY", scene="14", take=2, camera="B"),
    ) == [{"12A-1", "A001_C001_0815XY"}, {"B001_C001_0815XY"}]


def test_contradictions_are_said():
    """The name holds; that the picture is another one's, or a take is there twice, is said."""
    clips = [
        TakeClip(name="12A-1", look=look_of("33", 0)),
        TakeClip(name="12A-2", look=look_of("33", 10)),
        TakeClip(name="12A-3", look=look_of("14", 0)),
        TakeClip(name="14-1", look=look_of("14", 20)),
        TakeClip(name="14T01", look=look_of("14", 30)),
    ]
    first, second = group_takes(clips)
    assert first.clips == ("12A-1", "12A-2", "12A-3")
    assert first.contradictions == (
        "12A-3 does not look like the others of scene 12A",
        "12A-3 looks like scene 14",
    )
    assert first.confidence < 0.6
    assert second.contradictions == ("scene 14 has 2 clips of take 1",)


def test_nothing_to_group():
    """No clips make no groups; clips that nobody looked at stand alone."""
    assert group_takes([]) == []
    assert grouped(TakeClip(name="a"), TakeClip(name="b")) == [{"a"}, {"b"}]
