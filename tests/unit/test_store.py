"""The journal: assets, versions, outputs and jobs, on a real SQLite file."""

import json
import sqlite3
from dataclasses import replace

import pytest

from daemon.errors import NoSuchJobError
from daemon.jobs import Change, IllegalChangeError, JobState
from daemon.jobstore import GONE, REPLACED, NewJob
from daemon.journal import open_writer, transaction
from daemon.settle import Look
from daemon.store import Accepted, Arrival, Store, folder_of
from handlers.contract import AssetKind

EDIT = NewJob(handler="edit", handler_version="1", output_root="dailies_edit", params="{}")
OTHER = NewJob(handler="other", handler_version="1", output_root="dailies_other")


@pytest.fixture
def connection(tmp_path):
    """An open journal."""
    connection = open_writer(tmp_path)
    yield connection
    connection.close()


@pytest.fixture
def store(connection):
    """The store on it."""
    return Store(connection)


def accepted(path=b"dailies/A.mov", content="c1", inode=1, jobs=(EDIT,), rejected="", **more):
    """An asset as the gate lets it through."""
    kind = more.get("kind", AssetKind.CLIP)
    look = Look(path=path, kind=kind, signature=content.encode(), size=3, members=())
    return Accepted(
        look=look, watch="dailies", inode=inode, fingerprint=content, facts="{}", jobs=jobs,
        rejected=rejected,
    )  # fmt: skip


def state(store, job):
    """A job's state and reason."""
    row = store.jobs.get(job)
    return row["state"], row["reason"]


def claim(store, job, now=1.0):
    """Claim a job and return its token."""
    assert store.jobs.change(job, Change.CLAIM, now)
    return store.jobs.get(job)["token"]


def test_folder_of():
    """The folder part, empty at the top."""
    assert folder_of(b"a/b/c") == b"a/b"
    assert folder_of(b"c") == b""


def test_meta(store):
    """Remembered values are replaced, unknown ones are None."""
    assert store.meta("x") is None
    store.set_meta("x", "1")
    store.set_meta("x", "2")
    assert store.meta("x") == "2"


def test_new(store):
    """A new asset gets version 1 and its jobs, queued, with an event each."""
    found = store.record(accepted(jobs=(EDIT, OTHER)), 5.0)
    assert (found.arrival, len(found.jobs), found.rejected) == (Arrival.NEW, 2, ())
    assert state(store, found.jobs[0]) == (JobState.QUEUED, "")
    row = store.asset_by_path(b"dailies/A.mov")
    assert (row["version"], row["folder"], row["seen_at"]) == (1, b"dailies", 5.0)


def test_new_but_rejected(store):
    """A rejected asset is journaled with rejected jobs that carry the sentence."""
    found = store.record(accepted(rejected="cut off"), 0.0)
    assert found.rejected == found.jobs
    assert state(store, found.jobs[0]) == (JobState.REJECTED, "cut off")


def test_one_handler_cannot_run(store):
    """Its job alone is rejected, and told of; the others wait for their turn."""
    broken = replace(OTHER, rejected="no model", waits_for="a model")
    found = store.record(accepted(jobs=(EDIT, broken)), 0.0)
    assert [state(store, job) for job in found.jobs] == [
        (JobState.QUEUED, ""), (JobState.REJECTED, "no model"),
    ]  # fmt: skip
    assert found.rejected == found.jobs[1:]


def test_unchanged(store):
    """The same content copied again brings no job, and takes the new signature along."""
    first = store.record(accepted(), 0.0)
    again = store.record(accepted(inode=2), 1.0)
    assert (again.arrival, again.jobs, again.asset_id) == (
        Arrival.UNCHANGED,
        (),
        first.asset_id,
    )
    assert store.asset_by_path(b"dailies/A.mov")["inode"] == 2


def test_replaced(store):
    """Other content is a new version: the queued job of the old one is cancelled."""
    first = store.record(accepted(), 0.0)
    second = store.record(accepted(content="c2"), 1.0)
    assert second.arrival is Arrival.REPLACED
    assert store.asset_by_path(b"dailies/A.mov")["version"] == 2
    assert state(store, first.jobs[0]) == (JobState.CANCELLED, REPLACED)
    assert state(store, second.jobs[0]) == (JobState.QUEUED, "")


def test_replaced_while_running(store):
    """A running job of the old version is named, so that it can be stopped."""
    first = store.record(accepted(), 0.0)
    claim(store, first.jobs[0])
    second = store.record(accepted(content="c2"), 1.0)
    assert second.superseded == first.jobs


def test_another_kind_is_another_version(store):
    """The same bytes under another kind are replaced, not unchanged."""
    store.record(accepted(), 0.0)
    found = store.record(accepted(kind=AssetKind.FILE), 1.0)
    assert found.arrival is Arrival.REPLACED


def test_back_to_an_older_content(store):
    """Content that was there before runs again: its results were replaced meanwhile."""
    store.record(accepted(content="c1"), 0.0)
    store.record(accepted(content="c2"), 1.0)
    third = store.record(accepted(content="c1"), 2.0)
    assert third.arrival is Arrival.REPLACED
    assert len(third.jobs) == 1


def test_rejected_again(store):
    """The same bad content stays rejected."""
    first = store.record(accepted(rejected="cut off"), 0.0)
    again = store.record(accepted(rejected="cut off"), 1.0)
    assert (again.arrival, again.jobs) == (Arrival.UNCHANGED, ())
    assert state(store, first.jobs[0])[0] == JobState.REJECTED


def test_rejected_then_usable(store):
    """Bad content that turns out usable after all is queued again."""
    first = store.record(accepted(rejected="cut off"), 0.0)
    again = store.record(accepted(), 1.0)
    assert again.jobs == first.jobs
    assert state(store, first.jobs[0])[0] == JobState.QUEUED


def test_gone_and_back(store):
    """A source that vanished loses its queued job after a grace, and gets it back on return."""
    first = store.record(accepted(), 0.0)
    assert store.mark_gone([b"dailies/A.mov", b"dailies/never"], 10.0) == 1
    assert store.mark_gone([b"dailies/A.mov"], 11.0) == 0
    assert store.asset_by_path(b"dailies/A.mov") is None
    assert store.jobs.queued(20.0, 10, ["edit"]) == []
    assert store.jobs.cancel_gone(10.0, 20.0) == 0
    assert store.jobs.cancel_gone(10.5, 20.0) == 1
    assert state(store, first.jobs[0]) == (JobState.CANCELLED, GONE)
    again = store.record(accepted(), 30.0)
    assert (again.arrival, again.jobs) == (Arrival.UNCHANGED, first.jobs)
    assert state(store, first.jobs[0])[0] == JobState.QUEUED


def test_cancelled_by_a_person_stays_cancelled(store):
    """Only what was cancelled for a vanished source comes back by itself."""
    first = store.record(accepted(), 0.0)
    store.jobs.change(first.jobs[0], Change.CANCEL, 1.0, reason="cancelled by a person")
    store.mark_gone([b"dailies/A.mov"], 2.0)
    assert store.record(accepted(), 3.0).jobs == ()
    assert state(store, first.jobs[0])[0] == JobState.CANCELLED


def test_renamed(store):
    """The same inode and content under a new name: no new job, the results move along."""
    first = store.record(accepted(), 0.0)
    store.output_path(first.asset_id, "edit", "dailies_edit", "dailies", b"dailies/A.mov")
    store.mark_gone([b"dailies/A.mov"], 1.0)
    found = store.record(accepted(path=b"dailies/day01/B.mov"), 1.0)
    assert (found.arrival, found.asset_id, found.jobs) == (Arrival.RENAMED, first.asset_id, ())
    assert found.moves == ((b"dailies_edit/A", b"dailies_edit/day01/B"),)
    (move,) = store.moves()
    assert (move.source, move.target) == found.moves[0]
    store.finish_intent(move.id)
    assert store.moves() == []
    assert store.asset_by_path(b"dailies/day01/B.mov")["folder"] == b"dailies/day01"


def test_renamed_without_results(store):
    """A rename before anything was published moves nothing."""
    store.record(accepted(), 0.0)
    store.mark_gone([b"dailies/A.mov"], 1.0)
    assert store.record(accepted(path=b"dailies/B.mov"), 1.0).moves == ()


def test_renamed_to_the_same_stem(store):
    """Another ending, the same output folder: nothing moves."""
    first = store.record(accepted(path=b"dailies/A.mov"), 0.0)
    store.output_path(first.asset_id, "edit", "dailies_edit", "dailies", b"dailies/A.mov")
    store.mark_gone([b"dailies/A.mov"], 1.0)
    assert store.record(accepted(path=b"dailies/A.mp4"), 1.0).moves == ()


def test_renamed_with_a_handler_that_is_gone(store):
    """Results of a handler that no longer runs here stay where they are."""
    first = store.record(accepted(jobs=(EDIT, OTHER)), 0.0)
    store.output_path(first.asset_id, "other", "dailies_other", "dailies", b"dailies/A.mov")
    store.mark_gone([b"dailies/A.mov"], 1.0)
    assert store.record(accepted(path=b"dailies/B.mov"), 1.0).moves == ()


def test_a_copy_is_no_rename(store):
    """While the old name is still there, the same content is a new asset."""
    store.record(accepted(), 0.0)
    assert store.record(accepted(path=b"dailies/B.mov"), 1.0).arrival is Arrival.NEW


def test_other_content_on_the_same_inode_is_no_rename(store):
    """File systems give inodes again."""
    store.record(accepted(), 0.0)
    store.mark_gone([b"dailies/A.mov"], 1.0)
    found = store.record(accepted(path=b"dailies/B.mov", content="c2"), 2.0)
    assert found.arrival is Arrival.NEW


def test_renamed_after_its_job_was_cancelled(store):
    """A rename that took longer than the grace queues the job again."""
    first = store.record(accepted(), 0.0)
    store.mark_gone([b"dailies/A.mov"], 1.0)
    store.jobs.cancel_gone(5.0, 5.0)
    store.record(accepted(path=b"dailies/B.mov"), 6.0)
    assert state(store, first.jobs[0])[0] == JobState.QUEUED


def test_output_paths_are_unique_and_stay(store):
    """Two stems in one folder get two places; the first answer holds."""
    one = store.record(accepted(path=b"dailies/A.mov"), 0.0).asset_id
    two = store.record(accepted(path=b"dailies/A.mp4", inode=2), 0.0).asset_id
    three = store.record(accepted(path=b"dailies/A_mp4.mov", inode=3), 0.0).asset_id
    paths = [
        store.output_path(number, "edit", "dailies_edit", "dailies", path)
        for number, path in zip(
            (one, two, three),
            (b"dailies/A.mov", b"dailies/A.mp4", b"dailies/A_mp4.mov"),
            strict=True,
        )
    ]
    assert paths == [b"dailies_edit/A", b"dailies_edit/A_mp4", b"dailies_edit/A_mp4_mov"]
    again = store.output_path(two, "edit", "elsewhere", "dailies", b"dailies/renamed.mov")
    assert again == b"dailies_edit/A_mp4"


def test_output_of_two_handlers(store):
    """Each handler has its own place for an asset."""
    one = store.record(accepted(), 0.0).asset_id
    first = store.output_path(one, "edit", "dailies_edit", "dailies", b"dailies/A.mov")
    second = store.output_path(one, "other", "dailies_other", "dailies", b"dailies/A.mov")
    assert (first, second) == (b"dailies_edit/A", b"dailies_other/A")


def test_folder_gone(store, connection):
    """A folder that vanished takes everything below along, and nothing that sorts beside it."""
    paths = [b"dailies/day/A.mov", b"dailies/day/sub/B.mov", b"dailies/day0/C.mov",
             b"dailies/day-1/D.mov", b"dailies/E.mov"]  # fmt: skip
    for inode, path in enumerate(paths):
        store.record(accepted(path=path, inode=inode), 0.0)
    store.record(accepted(path=b"dailies/day", inode=9, kind=AssetKind.CARD), 0.0)
    store.set_digests([(b"dailies/day", b"1"), (b"dailies/day/sub", b"2"), (b"dailies/day0", b"3")])
    store.mark_folder_gone(b"dailies/day", 1.0)
    there = [path for path in paths if store.asset_by_path(path) is not None]
    assert there == paths[2:]
    assert store.asset_by_path(b"dailies/day") is None
    left = [row[0] for row in connection.execute("SELECT path FROM folder")]
    assert left == [b"dailies/day0"]
    store.clear_digests()
    assert connection.execute("SELECT COUNT(*) FROM folder").fetchone()[0] == 0


def test_the_same_job_is_added_once(store):
    """A job is unique by everything that makes its result; a deliberate further run is not."""
    asset = store.record(accepted(), 0.0).asset_id
    assert store.add_job(asset, EDIT, 1.0) is None
    again = store.add_job(asset, EDIT, 1.0, again=True)
    more = store.add_job(asset, EDIT, 1.0, again=True)
    assert None not in {again, more}
    assert again != more


@pytest.mark.parametrize(
    "change",
    [
        {"handler": "other"},
        {"handler_version": "2"},
        {"params": '{"a": 1}'},
        {"models": {"transnetv2": "1.0.5"}},
    ],
)
def test_what_makes_a_job_another(store, change):
    """Another handler, version, parameters or models make another job."""
    asset = store.record(accepted(), 0.0).asset_id
    base = {"handler": "edit", "handler_version": "1", "output_root": "dailies_edit"}
    assert store.add_job(asset, NewJob(**(base | change)), 1.0) is not None


def test_assets_without_job(store):
    """A handler that is new in the configuration finds what it has never seen."""
    one = store.record(accepted(), 0.0).asset_id
    two = store.record(accepted(path=b"dailies/B.mov", inode=2, jobs=()), 0.0).asset_id
    store.record(accepted(path=b"dailies/T.wav", inode=3, kind=AssetKind.RECORDING), 0.0)
    store.record(accepted(path=b"dailies/C.mov", inode=4, jobs=()), 0.0)
    store.mark_gone([b"dailies/C.mov"], 1.0)
    kinds = [AssetKind.CLIP, AssetKind.CARD]
    assert store.assets_without_job("dailies", "edit", kinds) == [two]
    assert store.assets_without_job("dailies", "new", kinds) == [one, two]
    assert store.assets_without_job("elsewhere", "new", kinds) == []


def test_an_old_token_is_refused(store):
    """A late answer of an older claim changes nothing."""
    (job,) = store.record(accepted(), 0.0).jobs
    old = claim(store, job)
    store.jobs.change(job, Change.GIVE_BACK, 2.0, token=old)
    new = claim(store, job, 3.0)
    assert new == old + 1
    assert not store.jobs.change(job, Change.PUBLISH, 4.0, token=old)
    assert state(store, job)[0] == JobState.RUNNING
    assert store.jobs.change(job, Change.PUBLISH, 4.0, token=new)
    assert not store.jobs.change(job, Change.FAIL, 5.0, token=new)
    assert state(store, job)[0] == JobState.DONE


def test_each_change_is_an_event(store, connection):
    """The history of a job names every arrow it took."""
    (job,) = store.record(accepted(), 0.0).jobs
    token = claim(store, job)
    store.jobs.change(job, Change.RETRY, 2.0, token=token, reason="a hang", attempts=1)
    rows = connection.execute(
        "SELECT before, after, change, reason, at FROM job_event WHERE job_id = ? ORDER BY id",
        (job,),
    ).fetchall()
    assert [tuple(row) for row in rows] == [
        (None, "queued", "add", "", 0.0),
        ("queued", "running", "claim", "", 1.0),
        ("running", "queued", "retry", "a hang", 2.0),
    ]


def test_changes_outside_the_table_are_refused(store):
    """A job that is not there, an arrow that is not there, a column that is not to be set."""
    (job,) = store.record(accepted(), 0.0).jobs
    with pytest.raises(NoSuchJobError, match="there is no job 99"):
        store.jobs.change(99, Change.CLAIM, 1.0)
    with pytest.raises(NoSuchJobError, match="there is no job 99"):
        store.jobs.with_asset(99)
    with pytest.raises(IllegalChangeError):
        store.jobs.change(job, Change.PUBLISH, 1.0)
    with pytest.raises(AssertionError, match="output_root"):
        store.jobs.change(job, Change.CLAIM, 1.0, output_root="x")


def test_queue_order_and_what_is_left_out(store):
    """By priority, then age; without blocked outputs, those that wait, and those not yet due."""
    jobs = []
    for number, (job, due) in enumerate(
        [
            (EDIT, 0),
            (NewJob(handler="edit", handler_version="1", output_root="r", priority=5), 0),
            (NewJob(handler="edit", handler_version="1", output_root="r", waits_for="a model"), 0),
            (EDIT, 100),
            (OTHER, 0),
        ]
    ):
        found = store.record(
            accepted(path=b"dailies/%d.mov" % number, inode=number, jobs=(job,)), 0
        )
        jobs += found.jobs
        if due:
            token = claim(store, found.jobs[0])
            store.jobs.change(found.jobs[0], Change.RETRY, 0.0, token=token, not_before=due)

    def ids(*handlers, now=50.0, limit=10, **terms):
        return [row["id"] for row in store.jobs.queued(now, limit, handlers, **terms)]

    assert ids("edit", "other") == [jobs[1], jobs[0], jobs[4]]
    assert ids("edit", "other", blocked=["r"]) == [jobs[0], jobs[4]]
    assert ids("other") == [jobs[4]]
    assert ids() == []
    assert ids("edit", "other", now=100.0, limit=2) == [jobs[1], jobs[0]]
    assert len(ids("edit", "other", now=100.0)) == 4
    assert store.jobs.active_count() == 5


def test_waits_for_a_model(store):
    """A job that waits holds no place in the queue, shows why, and is let go with its models."""
    waiting = NewJob(
        handler="edit", handler_version="1", output_root="r", models={"m": None},
        waits_for="waits for model m",
    )  # fmt: skip
    (job,) = store.record(accepted(jobs=(waiting,)), 0.0).jobs
    assert store.jobs.queued(1.0, 10, ["edit"]) == []
    assert [row["id"] for row in store.jobs.waiting()] == [job]
    assert state(store, job) == (JobState.QUEUED, "waits for model m")
    store.jobs.release(job, {"m": "1"})
    assert store.jobs.waiting() == []
    assert json.loads(store.jobs.get(job)["models"]) == {"m": "1"}
    assert [row["id"] for row in store.jobs.queued(1.0, 10, ["edit"])] == [job]


def test_failed_and_running(store):
    """What retry takes up, and what a restart has to look at."""
    (job,) = store.record(accepted(), 0.0).jobs
    token = claim(store, job)
    assert [row["id"] for row in store.jobs.running()] == [job]
    store.jobs.change(job, Change.FAIL, 2.0, token=token, traceback="x", attempts=3)
    assert (store.jobs.running(), store.jobs.failed_ids()) == ([], [job])


def test_names_of_any_bytes(store):
    """Undecodable and very long names are journaled as they are."""
    for number, path in enumerate(
        [b"dailies/caf\xe9.mov", b"dailies/" + b"n" * 255, b"dailies/\n"]
    ):
        store.record(accepted(path=path, inode=number), 0.0)
        assert store.asset_by_path(path)["path"] == path


def test_a_transaction_is_whole_or_nothing(store, connection):
    """What fails in the middle leaves no trace."""

    def fail():
        with transaction(connection):
            store.record(accepted(), 0.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.asset_by_path(b"dailies/A.mov") is None
    with transaction(connection):
        store.record(accepted(), 0.0)
    assert store.asset_by_path(b"dailies/A.mov") is not None


def test_the_journal_itself_refuses_strangers(connection):
    """Foreign keys hold: no job without its asset."""
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO output VALUES (x'00', x'00', 77, 'edit')")


# A card's day.


def test_a_cards_day_lies_in_its_results(store):
    """Wherever these are; a folder's day lies beside its clips, outside of other results."""
    clip, card, day = AssetKind.CLIP, AssetKind.CARD, AssetKind.DAY
    for path, kind, output in (
        (b"dailies/A001.RDM", card, b"dailies_edit/A001"),
        (b"dailies/A001.RDM/_day", day, b"dailies_edit/A001/_day"),
        (b"dailies/d1.mov", clip, b"dailies_edit/d1"),
        (b"dailies/d1/_day", day, b"dailies_edit/d1_2/_day"),
        # The day may have its place before the card has.
        (b"dailies/B/_day", day, b"dailies_edit/B/_day"),
        (b"dailies/B", card, b"dailies_edit/B"),
    ):
        job = replace(OTHER if kind is day else EDIT, output_root="dailies_edit")
        found = store.record(accepted(path, str(path), kind=kind, jobs=(job,)), 1.0)
        put = store.output_path(found.asset_id, job.handler, "dailies_edit", "dailies", path)
        assert put == output


def test_a_day_where_a_file_was(store, connection):
    """It is no file of the folder: no comparison of that finds it gone."""
    path = b"dailies/d1/_day"
    store.record(accepted(path, "text", kind=AssetKind.FILE), 1.0)
    store.mark_gone([path], 2.0)
    store.record(accepted(path, "day", kind=AssetKind.DAY), 3.0)
    assert [tuple(row) for row in connection.execute("SELECT kind, folder FROM asset")] == [
        ("day", b"")
    ]


def test_a_card_moves_before_its_day(store):
    """The day's results come along with the card's."""
    for path, kind, handler in (
        (b"dailies/A", AssetKind.CARD, "edit"),
        (b"dailies/A/_day", AssetKind.DAY, "day"),
    ):
        job = replace(EDIT, handler=handler)
        new = path.replace(b"A", b"B", 1)
        first = store.record(accepted(path, str(kind), kind=kind, jobs=(job,)), 1.0)
        store.output_path(first.asset_id, job.handler, "dailies_edit", "dailies", path)
        store.mark_gone([path], 2.0)
        store.record(accepted(new, str(kind), kind=kind, jobs=(job,)), 3.0)
    (card,) = store.moves()
    assert (card.source, card.target) == (b"dailies_edit/A", b"dailies_edit/B")
    store.finish_intent(card.id)
    (day,) = store.moves()
    assert (day.source, day.target) == (b"dailies_edit/A/_day", b"dailies_edit/B/_day")
