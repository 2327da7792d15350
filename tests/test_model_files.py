"""Models on the disk, with a hub of our own: downloaded by name, stopped, and removed where vt downloaded them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.hub_server import HubServer
from tests.servers import wait_for
from tests.test_factory import settings
from tests.tiny_kokoro import tiny_kokoro
from vt import languages
from vt.domain import Cancel
from vt.errors import ModelBusy, ModelInUse, ModelUnavailable, NotDownloaded, UnknownModel
from vt.factory import AIServiceFactory
from vt.model_files.download import Source
from vt.model_files.hub import Hub
from vt.models.catalogue import Catalogue
from vt.models.inventory import Inventory, KnownModel
from vt.models.monitor import Troubles
from vt.services import Services
from vt.system.atomic_dirs import build_dir_atomically
from vt.translatable import Message

VOICE, KOKORO, NLLB = "facebook/mms-tts-spa", "someone/kokoro", "facebook/nllb-200-distilled-600M"
PATIENCE = 60.0


class Desk:
    """A factory whose models come from a hub of our own: one that works, and one that is only fetched."""

    def __init__(self, folder: Path, hub: HubServer, **own_settings: str) -> None:
        chosen = {"tts_engine": "kokoro", "kokoro_model": KOKORO, **own_settings}
        own = settings(engines="auto", data_dir=str(folder / "data"), **chosen)
        self.cache = folder / "cache"
        source = Source(hub.endpoint, folder=self.cache, tries=1)
        self.catalogue = Catalogue(own, source=source)
        self.factory = AIServiceFactory(own, catalogue=self.catalogue, hub=Hub(lambda: True))
        self.services = Services(own, self.factory)

    @property
    def inventory(self) -> Inventory:
        return self.factory.inventory

    def known(self, name: str) -> KnownModel | None:
        return next((model for model in self.inventory.models() if model.name == name), None)

    def state(self, name: str) -> str:
        found = self.known(name)
        return found.state if found else "absent"

    def blobs(self, name: str) -> list[Path]:
        return list((self.cache / f"models--{name.replace('/', '--')}" / "blobs").glob("*"))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    voice, kokoro = tmp_path_factory.mktemp("voice"), tmp_path_factory.mktemp("kokoro")
    for name, size in (("config.json", 100), ("vocab.json", 100), ("model.safetensors", 200_000)):
        (voice / name).write_bytes(b"x" * size)
    (kokoro / "onnx").mkdir()
    tiny_kokoro(kokoro / "onnx" / "model_quantized.onnx")
    with HubServer({VOICE: voice, KOKORO: kokoro}) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, hub: HubServer) -> Iterator[Desk]:
    desk = Desk(tmp_path, hub)
    with closing(desk.factory):
        yield desk


def converted(folder: Path) -> None:
    """Fill a folder as a converted NLLB fills it."""
    for name in ("model.bin", "shared_vocabulary.json", "tokenizer.json"):
        (folder / name).write_bytes(b"x" * 1000)


def test_a_model_is_downloaded_by_its_name_and_removed_again(desk: Desk) -> None:
    nothing = desk.inventory.mark
    desk.inventory.download(VOICE)
    wait_for(lambda: desk.state(VOICE) == "here" and not desk.factory.news())
    assert desk.inventory.mark != nothing, "who has not looked meanwhile has to look again"
    found = desk.known(VOICE)
    assert found is not None
    assert 0 < found.own_bytes == found.disk_bytes < found.memory_bytes
    before = desk.inventory.mark
    assert desk.inventory.remove(VOICE) == found.own_bytes
    assert (desk.state(VOICE), list(desk.cache.iterdir()), desk.inventory.mark == before) == ("absent", [], False)
    with pytest.raises(NotDownloaded):
        desk.inventory.remove(VOICE)


def test_what_was_converted_here_goes_and_what_somebody_has_put_in_its_place_stays(desk: Desk) -> None:
    place = desk.services.settings.data_folder / "models" / "nllb-200-distilled-600M"
    build_dir_atomically(
        place, converted, is_complete=Path.is_dir, needed_bytes=1, tell=lambda _: None, cancel=Cancel()
    )
    assert desk.state(NLLB) == "here"
    assert desk.inventory.remove(NLLB) == 3000
    assert (desk.state(NLLB), place.exists()) == ("absent", False)
    other = place.with_name("nllb-200-1.3B")
    other.mkdir()
    converted(other)
    assert desk.state("facebook/nllb-200-1.3B") == "here"
    with pytest.raises(NotDownloaded):
        desk.inventory.remove("facebook/nllb-200-1.3B")


def test_a_model_in_use_is_not_removed_and_one_that_is_only_in_memory_leaves_it_first(desk: Desk) -> None:
    service = desk.factory.tts_service(languages.SPANISH)
    with service:
        with pytest.raises(ModelInUse, match=r"kokoro\S* is in use"):
            desk.inventory.remove(KOKORO)
        assert desk.state(KOKORO) == "here"
    assert desk.inventory.remove(KOKORO) > 0
    assert desk.factory.get_model_status()["models"] == []
    assert desk.state(KOKORO) == "absent"
    with service:  # it is fetched again where it is needed
        assert desk.state(KOKORO) == "here"


def test_a_warm_model_that_was_removed_is_fetched_again_for_the_next_who_asks(desk: Desk) -> None:
    for _ in range(3):
        desk.factory.tts_service(languages.SPANISH)
    desk.inventory.remove(KOKORO)
    assert desk.factory.tts_service(languages.SPANISH).choice.info.name == "kokoro"
    assert desk.state(KOKORO) == "here"


def test_what_another_program_has_put_into_the_cache_stays(desk: Desk, hub: HubServer) -> None:
    desk.factory.fetch([VOICE])
    weights = max(desk.blobs(VOICE), key=lambda blob: blob.stat().st_size)
    own = weights.parent.parent / ".vt-own"
    own.write_text("".join(f"{blob.name}\n" for blob in desk.blobs(VOICE) if blob != weights))
    before = desk.known(VOICE)
    assert before is not None and 0 < before.own_bytes < before.disk_bytes
    desk.inventory.remove(VOICE)
    assert (desk.blobs(VOICE), desk.state(VOICE)) == ([weights], "absent")
    fetched = len(hub.asked("/store/"))
    desk.factory.fetch([VOICE])
    assert (desk.state(VOICE), len(hub.asked("/store/"))) == ("here", fetched), "the weights were still there"


def test_a_download_is_stopped_for_all_who_wait_and_its_beginning_is_removed(tmp_path: Path, hub: HubServer) -> None:
    going, go_on = threading.Event(), threading.Event()

    def held(name: str, sent: int) -> None:
        if name.endswith(".safetensors") and sent:
            going.set()
            assert go_on.wait(PATIENCE)

    outcome: list[object] = []
    with HubServer(hub.repositories, on_chunk=held) as slow:
        desk = Desk(tmp_path, slow, tts_engine="mms")
        desk.inventory.download(VOICE)
        assert going.wait(PATIENCE)
        desk.inventory.download(VOICE)  # the same one

        def ask() -> None:
            outcome.append(desk.factory.tts_service(languages.SPANISH).choice)

        job = threading.Thread(target=ask)
        job.start()
        wait_for(lambda: desk.catalogue.preparations.waiting("mms-tts-spa") == 2)
        found = desk.known(VOICE)
        assert found is not None and found.state == "downloading" and "mms-tts-spa" in str(found.progress)
        with pytest.raises(ModelInUse):
            desk.inventory.remove(VOICE)
        assert desk.inventory.stop(VOICE)
        job.join(PATIENCE)
        go_on.set()
        wait_for(lambda: desk.state(VOICE) == "partial")
        assert not desk.inventory.stop(VOICE)
        assert desk.inventory.remove(VOICE) > 0
        assert desk.state(VOICE) == "absent"
        desk.factory.close()
    (choice,) = outcome
    assert "was cancelled by whoever runs this server" in str(getattr(choice, "fallback_reason", ""))
    assert [trouble.what.partition("_cpu")[0] for trouble in desk.factory.troubles.latest()] == ["tts_mms_mms-tts-spa"]


def test_no_name_leads_elsewhere_and_what_came_with_set_up_stays(desk: Desk) -> None:
    for name in ("../../etc", "/etc", "someone/else", "firefox:en-..", "firefox:English-Spanish", "", "x" * 9999):
        for act in (desk.inventory.download, desk.inventory.stop, desk.inventory.remove):
            with pytest.raises(UnknownModel):
                act(name)
    with pytest.raises(NotDownloaded):
        desk.inventory.remove("tiny.en")
    assert desk.state("tiny.en") == "here"


def test_a_folder_of_the_settings_is_listed_without_its_place_and_has_no_name_to_remove_it_by(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "nllb"
    folder.mkdir()
    converted(folder)
    own = settings(nllb_model=str(folder), translation_engine="nllb", data_dir=str(tmp_path))
    with closing(AIServiceFactory(own)) as factory:
        stages = {stage.stage: stage for stage in factory.inventory.stages()}
        assert f"VT_NLLB_MODEL={folder.name}" in stages["translation"].configured
        (found,) = (model for model in factory.inventory.models() if model.engine == "nllb" and model.state == "here")
        assert str(folder.parent) not in repr((found, stages))
        for name in (str(folder), found.name):
            with pytest.raises(UnknownModel):
                factory.inventory.remove(name)


def test_nothing_is_downloaded_where_the_settings_forbid_it_or_enough_is(tmp_path: Path, hub: HubServer) -> None:
    factory = AIServiceFactory(settings(engines="auto", hub_offline=True))
    with closing(factory), pytest.raises(ModelUnavailable, match="HF_HUB_OFFLINE"):
        factory.inventory.download("large-v3")
    held = threading.Event()
    names = [f"facebook/mms-tts-{code}" for code in ("spa", "fra", "deu", "por")]
    voices = dict.fromkeys(names, hub.repositories[VOICE])
    with HubServer(voices, on_chunk=lambda *_: held.wait(PATIENCE)) as slow:
        desk = Desk(tmp_path, slow)
        for name in names:
            desk.inventory.download(name)
        with pytest.raises(ModelBusy, match="At most 4"):
            desk.inventory.download("facebook/mms-tts-eng")
        held.set()
        wait_for(lambda: all(desk.state(name) == "here" for name in names))
        desk.factory.close()


def test_of_failures_the_latest_are_kept_without_paths() -> None:
    troubles = Troubles()
    for number in range(50):
        troubles.add(f"film {number}", f"No room in /var/lib/vt/{number}.bin, see https://example.org/a/b." + "x" * 999)
    troubles.add("talk.mp4", Message("{file} holds no speech.", file=Path("/data/jobs/abc/talk.mp4")))
    latest = troubles.latest()
    assert (len(latest), latest[0].why, latest[1].what) == (20, "talk.mp4 holds no speech.", "film 49")
    assert latest[1].why.startswith("No room in 49.bin, see https://example.org/a/b.")
    assert len(latest[1].why) <= 300
