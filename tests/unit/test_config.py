"""The configuration: every fault at once, each with its path and line."""

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from daemon.config import parse_duration, parse_size, relative_folder
from daemon.config_file import load_plan
from daemon.errors import ConfigError
from daemon.explain import explain
from daemon.modes import WatchMode
from handlers.contract import AssetKind, HandlerSpec, Treatment
from handlers.registry import Registry, discover

EXAMPLE = Path(__file__).parents[2] / "config.yaml"

HANDLERS = "day, edit, effects, learn, other, sound"


class Params(BaseModel):
    """Parameters of a handler that there is only here."""

    model_config = ConfigDict(extra="forbid")
    level: int = Field(default=1, ge=0)


OTHER = HandlerSpec(
    name="other",
    version="1",
    kinds=frozenset({AssetKind.CLIP, AssetKind.RECORDING}),
    params=Params,
    target="nowhere:Other",
    treatment=Treatment.ANALYSIS,
)


@pytest.fixture
def registry():
    """The handlers of fxd, one more, and one that is broken."""
    return Registry(
        specs=dict(discover().specs) | {"other": OTHER}, broken={"bad": "ImportError: no x"}
    )


@pytest.fixture
def storage(tmp_path):
    """A storage with folders to watch."""
    root = tmp_path / "storage"
    for name in (
        "dailies",
        "sound_rolls",
        "dailies_edit",
        "a/b",
        "audio",
        "mixes",
        "learn",
        "apply",
    ):
        (root / name).mkdir(parents=True)
    return root


@pytest.fixture
def load(storage, tmp_path, registry):
    """Load a configuration text that lies in the storage."""

    def load(text, *, head=True):
        path = storage / "config.yaml"
        state = tmp_path / "state"
        path.write_text(f"state: {state}\n{text}" if head else text)
        return load_plan(path, registry)

    return load


@pytest.fixture
def faults(load):
    """The faults of a configuration text as "where (line): what"."""

    def faults(text, *, head=True):
        with pytest.raises(ConfigError) as caught:
            load(text, head=head)
        assert all(str(fault) in str(caught.value) for fault in caught.value.faults)
        return [str(fault) for fault in caught.value.faults]

    return faults


def test_the_smallest(load, storage, tmp_path):
    """One watch with one handler is enough; all else has defaults that work."""
    plan = load("watches:\n  - folder: dailies\n    run: [edit]\n")
    (watch,) = plan.watches
    (run,) = watch.runs
    assert (plan.storage, plan.state) == (storage, tmp_path / "state")
    assert (watch.folder, watch.mode, run.output) == ("dailies", WatchMode.AUTO, "dailies_edit")
    assert run.params.proxy.height == 540
    assert plan.config.settle.quiet == 5.0
    assert watch.settle == plan.config.settle
    assert plan.config.umask == 0o002


def test_everything_set(load):
    """Each section takes its values, with units."""
    plan = load(
        """
settle: {quiet: 2s, quiet_after_close: 500ms, quiet_network: 2m, give_up: 1h}
notice: {poll_interval: 3, reconcile_interval: 1d}
run: {attempts: 1, backoff: 1s, time_limit: 1.5h}
slots: {cpu: 2, gpu: 0}
disk: {min_free: 20GiB}
log: {level: debug, format: json}
umask: 0o027
watches:
  - folder: ./dailies/
    mode: poll
    settle: {quiet: 9s}
    run:
      - {handler: edit, output: results/edit, priority: 3, proxy: {height: 720}}
      - {handler: other, level: 2}
"""
    )
    config, (watch,) = plan.config, plan.watches
    assert (config.settle.quiet_after_close, config.settle.quiet_network) == (0.5, 120.0)
    assert (config.notice.poll_interval, config.notice.reconcile_interval) == (3.0, 86400.0)
    assert (config.run.time_limit, config.disk.min_free) == (5400.0, 20 << 30)
    assert config.umask == 0o027
    assert (watch.folder, watch.mode, watch.settle.quiet) == ("dailies", WatchMode.POLL, 9.0)
    edit, other = watch.runs
    assert (edit.output, edit.priority, edit.params.proxy.height) == ("results/edit", 3, 720)
    assert (other.output, other.params_json) == ("dailies_other", '{"level": 2}')
    assert list(plan.outputs()) == ["results/edit", "dailies_other"]
    media = {AssetKind.CLIP, AssetKind.SEQUENCE, AssetKind.CARD, AssetKind.RECORDING}
    assert watch.kinds == media
    assert watch.runs_for(AssetKind.RECORDING) == (other,)


@pytest.mark.parametrize("value", ["2", "0002", "0o002"])
def test_umask_as_people_write_it(load, value):
    """Octal with and without the letter; a bare digit is one."""
    assert load(f"umask: {value}\nwatches:\n- folder: dailies\n  run: [edit]\n").config.umask == 2


def test_the_example_is_valid(load):
    """The example loads as it is."""
    text = re.sub(r"^#state:.*$", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    assert load(text).watches[0].folder == "dailies"


def test_the_example_shows_the_defaults(load):
    """Each commented value, once uncommented, loads and is the default."""
    plain = load(re.sub(r"^#state:.*$", "", EXAMPLE.read_text(), flags=re.MULTILINE))
    # What depends on the machine or the studio has no default to show.
    text = re.sub(r"^#(state|slots|notify):.*$", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    text = re.sub(r"^( *)#(?= {0,2}(?!fxd)[a-z_]+:)", r"\1", text, flags=re.MULTILINE)
    own = r"^ {9}(proxy|output|priority|quiet|movie|enhance|repair|size|minutes|strength)"
    text = re.sub(own, r"        \1", text, flags=re.MULTILINE)
    full = load(text)
    assert "heartbeat_limit" in full.config.run.model_fields_set
    assert "output" in full.config.watches[0].run[0].model_fields_set
    assert full.config.model_copy(update={"watches": []}) == plain.config.model_copy(
        update={"watches": []}
    )
    assert full.watches == plain.watches


def test_state_by_default_and_relative(load, storage, monkeypatch, tmp_path):
    """Without a state folder there is one for each storage; a relative one is the file's."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "of-systemd"))
    text = "watches:\n- folder: dailies\n  run: [edit]\n"
    assert load(text, head=False).state == tmp_path / "of-systemd"
    assert load("state: ../here\n" + text, head=False).state == tmp_path / "here"


def test_every_fault_at_once(faults):
    """Unknown keys, wrong types and a broken parameter, each with path and line."""
    found = faults(
        """
colour: red
settle: {quiet: soon}
slots: {cpu: 0, gpu: many}
log: {level: loud, format: xml}
umask: 4096
watches:
  - folder: dailies
    run: [edit]
    colour: blue
  - folder: sound_rolls
    mode: sometimes
    run:
      - handler: edit
        proxy: {height: tall}
  - folder: a
    run:
      - handler: edit
        proxy: {height: 1}
        depth: 3
"""
    )
    assert [re.sub(r":.*", "", item, flags=re.DOTALL) for item in found] == [
        "colour (line 3)",
        "settle.quiet (line 4)",
        "slots.cpu (line 5)",
        "slots.gpu (line 5)",
        "log.format (line 6)",
        "log.level (line 6)",
        "umask (line 7)",
        "watches[0].colour (line 11)",
        "watches[1].mode (line 13)",
        "watches[1].run[0].proxy.height (line 16)",
        "watches[2].run[0].proxy.height (line 20)",
        "watches[2].run[0].depth (line 21)",
    ]
    assert "settle.quiet (line 4): 'soon' is no time; write it such as 5s, 2m or 24h" in found
    assert "colour (line 3): no such key" in found


def test_a_fault_hides_no_other(faults, storage):
    """Beside keys that are wrong, folders, outputs and handlers are checked all the same."""
    found = faults(
        """
colour: red
watches:
  - folder: dailies
    colour: blue
    run:
      - {handler: edit, output: 3}
      - {handler: other, output: dailies/in}
  - folder: gone
    run: [nobody]
  - run: [edit]
"""
    )
    assert found == [
        "colour (line 3): no such key",
        "watches[0].colour (line 6): no such key",
        "watches[0].run[0].output (line 8): Input should be a valid string",
        "watches[0].run[1] (line 9): its output 'dailies/in' lies inside its own watched folder",
        f"watches[1].folder (line 10): {storage}/gone is no folder; make it, or correct the name",
        f"watches[1].run[0] (line 11): there is no handler 'nobody'; there is: {HANDLERS}",
        "watches[2].folder (line 12): Field required",
    ]


def test_a_watch_says_only_what_is_different(load):
    """What a watch's own settle section leaves out is as for all."""
    plan = load(
        """
settle: {quiet: 2s, give_up: 1h}
watches:
  - {folder: dailies, run: [edit], settle: {quiet: 9s}}
"""
    )
    (watch,) = plan.watches
    assert (watch.settle.quiet, watch.settle.give_up) == (9.0, 3600.0)
    assert watch.settle.quiet_network == plan.config.settle.quiet_network


def test_a_parameter_of_the_handler(faults):
    """A handler's own parameters are named by their path in the file."""
    (found,) = faults("watches:\n- folder: dailies\n  run:\n  - handler: other\n    level: -1\n")
    assert found.startswith("watches[0].run[0].level (line 6): ")


def test_two_faults_of_different_sorts(faults, storage):
    """A missing folder and an unknown handler are told together."""
    missing = storage / "nothing"
    found = faults("watches:\n- folder: nothing\n  run: [edit]\n- folder: dailies\n  run: [edti]\n")
    assert found == [
        f"watches[0].folder (line 3): {missing} is no folder; make it, or correct the name",
        f"watches[1].run[0] (line 6): there is no handler 'edti'; there is: {HANDLERS}",
    ]


def test_examples_are_alone(faults, load, storage):
    """A watched folder whose folders are examples has no clips for another handler."""
    (found,) = faults("watches:\n- folder: learn\n  run: [learn, edit]\n")
    assert found.startswith("watches[0].run[1] (line 4): ")
    assert "handler 'edit' takes no examples" in found
    assert "give it a watched folder of its own" in found


def test_examples_have_one_folder(faults, storage):
    """From two, two effects of one name would be versions of each other."""
    (storage / "more").mkdir()
    (found,) = faults("watches:\n- {folder: learn, run: [learn]}\n- {folder: more, run: [learn]}\n")
    assert found == (
        "watches[1].run[0] (line 4): takes examples, as watches[0].run[0] does, and both would "
        "make effects of one name; take them in one watched folder"
    )


def test_effects_of_the_example(load, storage):
    """Where learnt effects and clips land; the chain that is only a comment is right, too."""
    text = re.sub(r"^#state:.*$", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    text = re.sub(r"# (- handler: effects| {2}effects: \[| {2}format: prores)", r"\1", text)
    plan = load(text)
    placed = {watch.folder: [run.output for run in watch.runs] for watch in plan.watches}
    assert placed["dailies"] == ["dailies_edit", "dailies_edit", "dailies_effects"]
    assert (placed["learn"], placed["apply"]) == (["learn_effects"], ["apply_effects"])
    by_folder = {watch.folder: watch for watch in plan.watches}
    assert by_folder["learn"].kinds == {AssetKind.EXAMPLES}
    assert by_folder["learn"].settle.quiet == 15.0
    chain, alone = by_folder["dailies"].runs[-1], by_folder["apply"].runs[-1]
    assert chain.spec.models_for(chain.params, "day01/A001.mov") == (
        "denoise",
        "effect.glow",
        "person-matte",
    )
    assert alone.spec.models_for(alone.params, "Glow/A001.mov") == ("effect.glow",)
    # What the journal keeps is read back as it was.
    again = type(chain.params).model_validate(json.loads(chain.params_json))
    assert again == chain.params


@pytest.mark.parametrize("mask", ["look", "style", "grain", "Denoise"])
def test_a_mask_that_makes_no_matte(mask, faults):
    """What would end each clip, or the daemon, is said of the file."""
    step = f"{{effect: grain, mask: {mask}}}"
    text = f"watches:\n- folder: dailies\n  run: [{{handler: effects, effects: [{step}]}}]\n"
    (found,) = faults(text)
    assert found == (
        f"watches[0].run[0].effects[0].mask (line 4): '{mask}' cannot be a mask: "
        "take keyer, person-matte or an effect learnt as a matte"
    )


def test_a_mask_has_options_as_in_a_chain(load, faults):
    """Short or with a name for them; what they are is checked with the file."""
    start = (
        "watches:\n- folder: dailies\n  run: [{handler: effects, effects: [{effect: grain, mask: "
    )
    run = load(f"{start}{{effect: keyer, screen: blue}}}}]}}]\n").watches[0].runs[0]
    (step,) = run.params.effects
    assert (step.mask.effect, step.mask.options) == ("keyer", {"screen": "blue"})
    assert type(run.params).model_validate(json.loads(run.params_json)) == run.params
    (found,) = faults(f"{start}{{effect: keyer, screen: pink}}}}]}}]\n")
    assert found.startswith("watches[0].run[0].effects[0].mask")
    assert "screen" in found
    (found,) = faults(f"{start}{{effect: glow, screen: blue}}}}]}}]\n")
    assert found.endswith("'glow' is no built-in effect, and others have no options")


def test_names_of_effects_in_any_case(load):
    """A folder on a share is typed by people: Denoise is denoise, and not another's name."""
    steps = "[{effect: Grain, amount: 0.3, mask: Keyer}, {effect: glow, mask: MyMatte}]"
    text = f"watches:\n- folder: apply\n  run: [{{handler: effects, effects: {steps}}}]\n"
    run = load(text).watches[0].runs[0]
    assert run.spec.models_for(run.params, "A.mov") == ("effect.glow", "effect.mymatte")
    alone = run.spec.params()
    assert run.spec.models_for(alone, "Denoise/A.mov") == ("denoise",)
    assert run.spec.models_for(alone, "GRAIN/A.mov") == ()
    # Needs options, which no folder gives.
    assert run.spec.models_for(alone, "Look/A.mov") == ()


def test_effects_and_what_is_learnt_go_to_their_own_places(faults, storage):
    """Two handlers never write to one place."""
    found = faults(
        "watches:\n- {folder: learn, run: [learn]}\n"
        "- {folder: dailies, run: [{handler: effects, output: learn_effects}]}\n"
    )
    assert found == [
        "watches[1].run[0] (line 4): writes to 'learn_effects', as watches[0].run[0] does"
    ]


def test_a_broken_handler(faults):
    """A third party's handler that cannot be loaded says why."""
    (found,) = faults("watches:\n- folder: dailies\n  run: [bad]\n")
    assert found.endswith("handler 'bad' cannot be loaded: ImportError: no x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("watches: []\n", "watches (line 2)"),
        ("watches: dailies\n", "watches (line 2)"),
        ("watches:\n- dailies\n", "watches[0] (line 3)"),
        ("watches:\n- folder: dailies\n", "watches[0].run (line 3)"),
        ("watches:\n- folder: dailies\n  run: []\n", "watches[0].run (line 4)"),
        ("watches:\n- folder: dailies\n  run: [3]\n", "watches[0].run[0] (line 4)"),
        ("watches:\n- folder: dailies\n  run: [{proxy: 1}]\n", "watches[0].run[0].handler (line 4"),
        ("watches:\n- folder: dailies\n  run: [{handler: edit, params: 1}]\n",
         "watches[0].run[0].params (line 4): no such key"),
        ("settle: {quiet: true}\nwatches:\n- folder: dailies\n  run: [edit]\n", "settle.quiet"),
        ("", "watches: Field required"),
    ],
)  # fmt: skip
def test_single_faults(faults, text, said):
    """Whatever is wrong has its place."""
    (found,) = faults(text)
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("../other", "outside the storage"),
        ("/srv", "outside the storage"),
        ("dailies/../../x", "outside the storage"),
        (".", "is the storage itself"),
        ("''", "is the storage itself"),
        (".hidden", "hidden"),
    ],
)
def test_folders_that_are_refused(faults, folder, said):
    """Watch and output stay inside the storage, and are visible."""
    (found,) = faults(f"watches:\n- folder: {folder}\n  run: [edit]\n")
    assert found.startswith("watches[0].folder (line 3): ")
    assert said in found
    run = f"{{handler: edit, output: {folder}}}"
    (found,) = faults(f"watches:\n- folder: dailies\n  run: [{run}]\n")
    assert found.startswith("watches[0].run[0].output (line 4): ")
    assert said in found


def test_output_inside_its_own_watch(faults):
    """Results that land where they are watched would run for ever."""
    (found,) = faults(
        "watches:\n- folder: dailies\n  run: [{handler: edit, output: dailies/out}]\n"
    )
    assert "'dailies/out' lies inside its own watched folder" in found


def test_output_around_its_own_watch(faults):
    """So would results in a folder that holds the watch."""
    (found,) = faults("watches:\n- folder: a/b\n  run: [{handler: edit, output: a}]\n")
    assert "'a' lies around its own watched folder" in found


@pytest.mark.parametrize("output", ["results", "results/edit", "."])
def test_two_handlers_into_one_output(faults, output):
    """Two handlers never write to one place, nor one inside the other's."""
    second = "results" if output == "." else output
    found = faults(
        f"""watches:
- folder: dailies
  run:
  - {{handler: edit, output: results}}
  - {{handler: other, output: {second}}}
"""
    )
    assert found == [f"watches[0].run[1] (line 6): writes to '{second}', as watches[0].run[0] does"]


def test_the_same_watch_twice(faults):
    """One watch a folder, and none inside another."""
    twice = "watches:\n- folder: a\n  run: [edit]\n- folder: a/b\n  run: [other]\n"
    assert any("lies inside or around the watch 'a'" in item for item in faults(twice))


def test_a_chain(load):
    """A watch may take another handler's output: so handlers are chained."""
    plan = load(
        "watches:\n- folder: dailies\n  run: [edit]\n- folder: dailies_edit\n  run: [other]\n"
    )
    assert list(plan.outputs()) == ["dailies_edit", "dailies_edit_other"]


def test_a_cycle(faults):
    """A chain that comes back is refused at each of its ends."""
    found = faults(
        """watches:
- folder: dailies
  run: [edit]
- folder: dailies_edit
  run: [{handler: other, output: dailies}]
"""
    )
    assert len(found) == 2
    assert all("a cycle" in item for item in found)


def test_a_cycle_further_on(faults):
    """A watch that leads into a cycle of others is no end of it."""
    found = faults(
        """watches:
- folder: a
  run: [{handler: edit, output: dailies}]
- folder: dailies
  run: [edit]
- folder: dailies_edit
  run: [{handler: other, output: dailies/again}]
"""
    )
    cycles = [item.partition(" ")[0] for item in found if "a cycle" in item]
    assert cycles == ["watches[1].run[0]", "watches[2].run[0]"]


def test_a_chain_beside_a_cycle_that_ends(load, storage):
    """Two watches that feed one place are no cycle."""
    (storage / "sound_rolls_other").mkdir()
    load(
        """watches:
- folder: dailies
  run: [edit]
- folder: dailies_edit
  run: [other]
- folder: sound_rolls
  run: [{handler: other, output: sound_rolls_other}]
- folder: sound_rolls_other
  run: [{handler: edit, output: end}]
"""
    )


def test_storage_that_is_not_there(faults):
    """A share that is not mounted is one fault, not one for each watch."""
    (found,) = faults("storage: nowhere\nwatches:\n- folder: dailies\n  run: [edit]\n")
    assert found.startswith("storage (line 2): ")
    assert found.endswith("is no folder here; is the share mounted?")


@pytest.mark.parametrize("inside", ["", "/deep/in"])
def test_state_in_a_watch(faults, storage, inside):
    """The journal is never watched itself."""
    text = f"state: {storage}/dailies{inside}\nwatches:\n- folder: dailies\n  run: [edit]\n"
    (found,) = faults(text, head=False)
    assert found == "state (line 1): is in a watched folder; put it elsewhere, on a local disk"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1\n", "file (line 2): cannot be read: "),
        ("a:\n\t- b\n", "file (line 2): is indented with a tab; use spaces"),
        ("- a\n- b\n", "file (line 1): should be a mapping"),
        ("", "file (line 1): should be a mapping"),
        ("a: !!python/object/apply:os.getcwd []\n", "file (line 1): cannot be read: "),
    ],
)
def test_what_is_no_configuration(faults, text, said):
    """Broken YAML names its line, and YAML never makes objects."""
    (found,) = faults(text, head=False)
    assert found.startswith(said)


def test_a_key_twice(faults):
    """YAML would silently take the last of two."""
    found = faults("watches:\n- folder: dailies\n  run: [edit]\n  run: [other]\n")
    assert found == ["watches[0].run (line 5): is there twice"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(3, 3.0), ("3", 3.0), ("5s", 5.0), ("500ms", 0.5), ("2m", 120.0), ("2 min", 120.0),
     ("1.5h", 5400.0), ("1d", 86400.0), (0.25, 0.25)],
)  # fmt: skip
def test_durations(value, seconds):
    """Numbers are seconds; units as people write them."""
    assert parse_duration(value) == seconds


@pytest.mark.parametrize("value", ["", "5x", "-1", "s", None, [], True, "nan", "inf"])
def test_no_durations(value):
    """Anything else is refused with an example."""
    with pytest.raises(ValueError, match="such as 5s, 2m or 24h"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("value", "size"),
    [(7, 7), ("7b", 7), ("5GB", 5 * 10**9), ("5 gib", 5 << 30), ("1k", 1000), ("1.5M", 1_500_000),
     ("2TiB", 2 << 40), ("1KiB", 1024)],
)  # fmt: skip
def test_sizes(value, size):
    """Decimal and binary units, in any case."""
    assert parse_size(value) == size


@pytest.mark.parametrize("value", ["", "5x", "-1", None, False, "GB"])
def test_no_sizes(value):
    """Anything else is refused with an example."""
    with pytest.raises(ValueError, match="such as 500MB or 20GiB"):
        parse_size(value)


def test_relative_folder():
    """A folder is kept in its plain form."""
    assert relative_folder("a/./b/../c/") == "a/c"


def test_explain(load, storage):
    """What a configuration means, for people and programs."""
    said = explain(load("watches:\n- folder: dailies\n  mode: poll\n  run: [edit]\n"))
    (watch,) = said["watches"]
    assert (said["storage"], watch["folder"], watch["mode"]) == (str(storage), "dailies", "poll")
    assert watch["runs"][0]["output"] == "dailies_edit"
    assert watch["runs"][0]["kinds"] == ["card", "clip", "sequence"]
