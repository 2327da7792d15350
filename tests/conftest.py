"""What several tests share: the sample film, and what the command line makes of it."""

from __future__ import annotations

import atexit
import gc
import json
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.browsers import browser  # noqa: F401 (a fixture, for all)
from tests.forked import is_possible, run_forked
from tests.servers import FASTER, Server, running, with_the_faster

# Threads of OpenMP wait for each other in a loop unless told to sleep. Beside other work, which the suite always has,
# they take the processor from those for whom they wait: measured, twenty times the processor time for one model. It is
# read when a library is loaded, by this process and by all that the tests start.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "samples" / "sense_and_sensibility.mp4"
SLOW_FIXTURES = {"browser", "dubbed", "guarded", "server", "space", "stand_in"}
_SLOW = """
apertium background batch benchmarks body_limits bundle burning campplus caption_films catalogues cli client
cluster_engines cluster_host cluster_model connections containers contract database_place dialogue docs doors
download ducking ensemble espeak expressions factory faults files films firefox first_lines fitting gateway
glossary_jobs hosts hub_engines jobs jobs_api keeping kept_translations known_voices kokoro kokoro_phonemes
lines_page links links_page llm_films main_job mcp media media_times metrics mixed_speech mms model_files
models_tab nllb number_formats one_file openai openapi overlapping overview package package_index page peers
phrases preview processes pyannet quick_import ray readme recovery report report_page security_headers service
setup_models siege sound_translation speak_command speakers speaking speaking_ahead speaking_rates starting
store subtitle_source subtitle_tracks supply takes texts threads torch_library tracing track track_choice voice_samples
voices whisper whisper_joints wordings workbench worker
"""
SLOW_FILES = frozenset(_SLOW.split())
"""Whose tests start programs that load much, make films, run real models or wait, without one of these fixtures."""
FIRST = ["ray", "page", "siege", "expressions", "readme", "cli", "files", "jobs_api", "media", "gateway", "formats"]
"""The files that take longest. They begin, so that no process has one of them left when the others are done."""
SAMPLED = {
    "test_films_of_one_visitor_wait_to_be_looked_into_while_those_of_others_are": 2,
    "test_the_base_rate_brings_the_median_line_to_its_slot_within_bounds": 2,
    "test_a_line_of_two_thousand_characters_loses_nothing": 3,
    "test_subtitles_that_are_pictures_are_left_out_and_the_user_is_told_once": 2,
    "test_a_film_of_any_name_is_decoded_and_muxed_with_files_of_such_names": 2,
    "test_the_momentary_loudness_and_the_peak_are_those_of_the_file": 2,
    "test_time_in_the_samples_is_time_in_the_film_when_its_sound_starts_late": 2,
    "test_a_track_is_written_and_measured_in_a_folder_of_any_name": 2,
    "test_sound_that_is_to_be_heard_again_keeps_up_to_two_channels_and_its_time": 2,
    "test_out_of_memory_with_the_smaller_model_too_a_sentence_says_so": 3,
    "test_sound_alone_opens_and_is_decoded_whole": 6,
    "test_what_a_killed_server_has_said_holds_after_the_kill": 4,
    "test_a_track_without_a_packet_is_called_empty": 9,
    "test_a_film_that_is_used_again_keeps_what_was_asked_for_as_far_as_it_fits": 6,
    "test_a_death_while_an_outdated_database_is_made_anew_costs_nothing": 8,
    "test_an_edit_that_was_spoken_ahead_is_not_spoken_again_and_its_dub_is_the_very_same": 4,
    "test_a_picture_that_cannot_live_in_mp4_becomes_h264_and_the_user_is_told": 4,
    "test_a_text_is_spoken_in_each_format": 2,
    "test_no_broken_body_is_answered_otherwise_than_is_documented": 2,
    "test_clips_come_in_the_order_of_the_lines_with_several_threads": 3,
    "test_a_run_that_is_stopped_leaves_nothing_behind_and_says_so": 2,
    "test_one_voice_stays_one_where_it_whispers_and_shouts": 2,
    "test_a_submit_that_was_answered_outlives_the_server_and_the_database": 3,
    "test_a_line_of_2_000_characters_is_spoken_in_parts_that_the_model_can_take": 3,
    "test_every_usual_container_opens_and_its_sound_is_decoded_whole": 3,
    "test_no_endpoint_takes_a_file_that_is_not_the_callers_own": 2,
    "test_a_step_is_taken_from_its_own_states_and_refused_in_all_others": 2,
    "test_no_text_makes_an_expression_slow": 9,
    "test_an_expression_that_is_slow_for_some_text_is_seen": 3,
    "test_a_hostile_file_is_refused_at_once_with_a_sentence": 4,
    "test_a_folder_without_a_good_model_gives_way_to_the_bundled_one_or_is_an_error": 6,
    "test_embedded_hears_with_the_best_of_the_bundled_models_that_is_whole": 4,
    "test_the_dub_stands_beside_its_picture_in_the_file_though_subtitles_end_early": 4,
    "test_a_chain_of_ogg_recordings_is_heard_whole": 8,
    "test_sound_that_is_to_be_heard_again_stays_in_time_where_its_format_changes": 12,
    "test_a_folder_of_any_name_may_hold_what_is_drawn": 6,
    "test_a_film_of_any_container_is_heard_and_comes_back_as_mp4_with_its_picture_as_long": 40,
    "test_a_file_that_is_no_film_is_refused": 2,
    "test_a_film_that_breaks_off_is_refused": 3,
    "test_sound_without_speech_is_refused": 6,
    "test_any_file_name_simply_works": 6,
    "test_a_disk_that_fills_up_in_a_stage_takes_nothing_back_of_what_was_finished_before": 8,
    "test_sound_alone_gives_an_m4a_with_subtitles": 2,
    "test_no_text_makes_slow_what_reads_it": 36,
    "test_a_signal_ends_it_cleanly": 4,
    "test_what_says_something_else_leaves_words_untranslated_or_is_longer_is_not_taken": 9,
    "test_a_program_that_computes_too_long_is_stopped": 3,
    "test_a_program_that_takes_too_long_is_stopped_and_named": 3,
    "test_a_program_that_somebody_stopped_does_not_stay_for_ever": 3,
    "test_subtitles_that_cannot_be_used_are_refused_with_the_reason": 2,
    "test_the_track_is_as_loud_as_it_should_be_and_never_too_loud": 4,
    "test_lines_never_overlap_and_stay_inside_the_film": 3,
    "test_the_page_speaks_the_browsers_language": 2,
    "test_of_every_kind_of_film_there_is_kept_and_said_what_the_table_says": 36,
    "test_a_second_track_of_any_kind_stays_as_long_as_it_was": 16,
    "test_the_text_is_in_the_picture_when_it_is_said_at_its_foot_and_in_its_middle": 12,
    "test_the_track_that_is_tagged_with_the_language_of_the_film_is_taken": 4,
    "test_a_single_word_in_a_long_film_is_as_loud_as_it_should_be": 2,
    "test_an_engine_that_does_not_obey_its_rate_is_kept_in_time_all_the_same": 2,
    "test_a_voice_of_another_sample_rate_is_placed_and_levelled_too": 2,
    "test_a_model_that_is_not_on_this_machine_gives_way_to_the_bundled_one": 3,
    "test_a_timeout_ends_the_programs_that_the_program_started_too": 3,
    "test_a_cancel_ends_the_programs_that_the_program_started_too": 3,
    "test_a_film_that_lost_its_second_half_is_refused_as_incomplete": 3,
    "test_a_picture_that_can_live_in_mp4_is_copied_from_every_container": 6,
    "test_a_film_whose_header_says_its_length_badly_is_as_long_as_what_it_holds": 24,
    "test_only_what_changed_by_more_than_the_noise_is_a_change": 3,
    "test_time_in_the_samples_is_time_in_the_film_in_broadcast_formats_too": 3,
    "test_a_long_line_takes_time_in_proportion": 4,
    "test_the_tiny_whisper_hears_its_text_and_names_its_language": 3,
    "test_what_cannot_be_had_is_said_in_the_readers_language_and_leaves_nothing": 8,
}
"""Of the cases of these tests every so-manieth runs in the suite, and the others in scripts/soak."""
SECRETS = {"VT_ADMIN_TOKEN": "open-sesame-4711", "HF_TOKEN": "hf_never_to_be_seen"}
"""Of the guarded server."""
TOLD = "told: "
"""Begins a line of a test that scripts/soak tells, whatever came of the test."""
TRANSCRIPT = SAMPLE.with_suffix(".txt")
_PATIENCE_SECONDS = 300.0
"""Of a run of the command line: only one that hangs takes so long."""


gc.disable()  # while a million lasting objects are imported; see pytest_collection_finish


def pytest_collection_finish() -> None:
    """Let each collection of garbage look only at what is made from here on, not at all modules and tests."""
    gc.freeze()
    gc.enable()
    atexit.register(gc.freeze)  # nor at the very end, when all goes anyway


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--soak`: only the further cases of kinds that the suite tries once, which scripts/soak runs."""
    parser.addoption("--soak", action="store_true", help="run only the tests that are marked soak")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark as slow what uses a server, a browser or a whole dub, and begin with the files that take longest.

    What is marked soak runs with `--soak`, and only that.
    """
    _leave_cases_to_soak(items)
    is_soak = bool(config.getoption("--soak"))
    others = [item for item in items if (item.get_closest_marker("soak") is not None) != is_soak]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in set(others)]
    items.sort(key=lambda item: FIRST.index(_subject(item)) if _subject(item) in FIRST else len(FIRST))
    for item in items:
        fixtures = set(item.fixturenames) if isinstance(item, pytest.Function) else set()
        if _subject(item) in SLOW_FILES or fixtures & SLOW_FIXTURES:
            item.add_marker(pytest.mark.slow)


def _subject(item: pytest.Item) -> str:
    """Return what its file is about, such as `cli` of `tests/test_cli.py`."""
    return item.path.stem.removeprefix("test_")


def _leave_cases_to_soak(items: Iterable[pytest.Item]) -> None:
    """Mark as soak all cases of a test that is in `SAMPLED` but every so-manieth, from the first."""
    seen: Counter[str] = Counter()
    for item in items:
        name = item.name.split("[")[0]
        if seen[name] % SAMPLED.get(name, 1):
            item.add_marker(pytest.mark.soak)
        seen[name] += 1


def vt(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, with no model from a hub, and the fastest of the engines."""
    argv = ["-m", "vt", *map(str, arguments)]
    chosen = {**os.environ, "PYTHONPATH": str(ROOT), **with_the_faster({"VT_ENGINES": "embedded", **environment})}
    if is_possible(environment):
        return run_forked(argv, cwd, chosen, _PATIENCE_SECONDS)
    return subprocess.run(
        [sys.executable, *argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        env=chosen,
        timeout=_PATIENCE_SECONDS,
    )


@dataclass(frozen=True)
class Dubbed:
    """A finished run of the command line."""

    folder: Path
    run: subprocess.CompletedProcess[str]
    language: str = "es"

    @property
    def film(self) -> Path:
        return self.folder / f"{SAMPLE.stem}.{self.language}.mp4"

    @property
    def report(self) -> dict[str, Any]:
        text = (self.folder / f"{SAMPLE.stem}.{self.language}.report.json").read_text(encoding="utf-8")
        report: dict[str, Any] = json.loads(text)
        return report


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Log again after a test that ran the command line in this process, which silences the log."""
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="session")
def dubbed(tmp_path_factory: pytest.TempPathFactory) -> Dubbed:
    """The sample, dubbed into Spanish by the real engines, as they come."""
    folder = tmp_path_factory.mktemp("dubbed")
    auto = dict.fromkeys(FASTER, "auto")
    return Dubbed(folder / "out", vt("translate", SAMPLE, "--to", "es", cwd=folder, **auto))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without a token, as on somebody's own machine. Others use it too: its models come and go."""
    with running(tmp_path_factory.mktemp("server")) as running_server:
        yield running_server


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose models are managed with a token, and which offers tools to assistants."""
    with running(tmp_path_factory.mktemp("guarded"), **SECRETS, VT_MCP="true") as running_server:
        yield running_server
