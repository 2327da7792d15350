"""Graphics cards: counted, numbered and measured by the driver's library, and chosen by the settings."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from tests.graphics_cards import GB, FakeNvml, cards
from vt.errors import SettingsError
from vt.models.catalogue import Catalogue
from vt.settings import Settings, load
from vt.system import graphics
from vt.system.graphics import Cards, Memory


def settings(**fields: object) -> Settings:
    """Make settings that no environment has a part in."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    return Settings.model_validate({**defaults, "engines": "embedded", **fields})


@pytest.mark.parametrize(("there", "counted"), [(None, 0), ([], 0), ([8 * GB, 8 * GB], 2)])
def test_graphics_cards_are_counted_by_the_drivers_library_where_there_is_one(
    there: list[int] | None, counted: int
) -> None:
    assert Cards(lambda: FakeNvml(there), {}).count == counted


def test_the_real_library_raises_nothing_here_with_or_without_a_driver() -> None:
    found = graphics.cards()
    assert found.count >= 0
    assert (found.memory("cuda") is None) == (found.count == 0)
    assert found.memory("cpu") is None


@pytest.mark.parametrize(
    ("named", "totals"),
    [
        ("1", [2]),
        ("2, 0", [3, 1]),
        ("GPU-1,0", [2, 1]),
        ("0,7,1", [1]),  # CUDA, too, sees none behind the first that is not there
        ("0,mine", [1]),
        ("-1", []),
        ("", []),
    ],
)
def test_only_the_cards_that_cuda_shows_to_the_process_count_numbered_as_it_numbers_them(
    named: str, totals: list[int]
) -> None:
    found = cards(1, 2, 3, environment={"CUDA_VISIBLE_DEVICES": named})
    memories = [found.memory(f"cuda:{number}") for number in range(found.count)]
    assert memories == [Memory(total, 0) for total in totals]
    assert found.memory(f"cuda:{found.count}") is None


@pytest.mark.parametrize(
    ("chosen", "order"), [({}, "PCI_BUS_ID"), ({"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}, "FASTEST_FIRST")]
)
def test_cuda_numbers_cards_as_the_drivers_library_does_unless_somebody_has_chosen_an_order(
    chosen: dict[str, str], order: str
) -> None:
    Cards(lambda: FakeNvml([8 * GB]), environment := dict(chosen))
    assert environment["CUDA_DEVICE_ORDER"] == order


def test_the_budget_of_a_card_is_what_the_settings_say_or_most_of_its_memory() -> None:
    assert graphics.budget(512, Memory(8 * GB, GB)) == GB // 2
    assert graphics.budget(0, Memory(10 * GB, GB)) == 8 * GB
    assert Memory(10, 4).free == 6


def test_a_torch_that_is_loaded_is_asked_and_one_that_is_not_stays_unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: True)))
    assert graphics.torch_has_cuda() is True
    monkeypatch.delitem(sys.modules, "torch")
    assert graphics.torch_has_cuda() in (True, False)
    assert "torch" not in sys.modules


@pytest.mark.parametrize(
    ("device", "there", "hears", "speaks"),
    [
        ("cuda", 0, ["cuda", "cpu"], ["cuda", "cpu"]),
        ("auto", 0, ["cpu"], ["cpu"]),
        ("cuda", 1, ["cuda", "cpu"], ["cuda", "cpu"]),
        ("cuda", 2, ["cuda:0", "cuda:1", "cpu"], ["cuda:0", "cuda:1", "cpu"]),
        ("auto", 3, ["cuda:0", "cuda:1", "cuda:2", "cpu"], ["cuda:2", "cuda:0", "cuda:1", "cpu"]),
        ("cuda:1", 2, ["cuda:1", "cpu"], ["cuda:1", "cpu"]),
        ("cpu", 2, ["cpu"], ["cpu"]),
    ],
)
def test_models_are_spread_over_the_cards_by_what_they_do(
    device: str, there: int, hears: list[str], speaks: list[str]
) -> None:
    site = Catalogue(settings(device=device), cards=lambda: cards(*[8 * GB] * there)).site
    assert [*site.devices("stt")] == hears
    assert [*site.devices("tts")] == speaks
    assert (site.device("stt") == "cpu") == (not there or device == "cpu")


def test_each_card_in_use_has_a_budget_of_its_own() -> None:
    two = Catalogue(settings(device="cuda"), cards=lambda: cards(10 * GB, 20 * GB))
    assert two.card_budgets() == {"cuda:0": 8 * GB, "cuda:1": 16 * GB}
    assert two.device == "cuda:0"
    one = Catalogue(settings(device="cuda:1", gpu_budget_mb=1024), cards=lambda: cards(10 * GB, 20 * GB))
    assert one.card_budgets() == {"cuda:1": GB}
    assert Catalogue(settings(device="cpu"), cards=lambda: cards(10 * GB)).card_budgets() == {}


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:100", "cpu:1"])
def test_a_device_that_is_none_is_an_error_of_the_settings(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVICE", device)
    with pytest.raises(SettingsError, match=r"DEVICE cannot be used: use cpu, cuda or auto, or cuda:1"):
        load()
