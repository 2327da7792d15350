"""The workbench of a dub's lines in a real browser: what is typed is never lost, each line is heard, keys do it all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Locator, Page, Response, Route, expect

from tests.browsers import page_of
from tests.conftest import SAMPLE
from tests.servers import Server, running, wait_for
from tests.test_page import TALK

PATIENCE_MS = 120_000.0
SAVED = "[data-save]:not([data-busy])"
FIRST, SECOND = ("textarea[data-line='0'][data-field='text']", "textarea[data-line='1'][data-field='text']")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("lines")) as running_server:
        yield running_server


def dubbed(server: Server, captions: Path) -> str:
    """Have the sample dubbed, by subtitles, which is quick, and return the id of the job."""
    with SAMPLE.open("rb") as film, captions.open("rb") as texts:
        files = {"file": ("talk.mp4", film), "subtitles": ("talk.srt", texts)}
        job = str(server.json("POST", "/api/v1/jobs", files=files, data={"target_language": "es"})["id"])
    assert server.ended(job)["state"] == "done"
    return job


@pytest.fixture(scope="module")
def jobs(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two finished dubs of the same talk."""
    captions = tmp_path_factory.mktemp("talk") / "talk.srt"
    captions.write_text(TALK)
    return dubbed(server, captions), dubbed(server, captions)


SOUNDS = """() => {
  window.sounds = [];
  const play = Audio.prototype.play;
  Audio.prototype.play = function () {
    this.addEventListener('playing', () => sounds.push(this.src), {once: true});
    return play.call(this);
  };
}"""
"""Notes in the page the address of each sound that begins to be heard."""
ASKED: list[str] = []
"""What the page asked before it was left."""


@pytest.fixture(scope="module")
def shared_page(browser: Browser, server: Server) -> Iterator[Page]:
    def leave(dialog: Dialog) -> None:
        ASKED.append(dialog.type)
        dialog.accept()

    with page_of(browser, server.url) as page:
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page.on("dialog", leave)
        yield page


@pytest.fixture
def page(shared_page: Page, server: Server, jobs: tuple[str, str]) -> Page:
    """The page as a browser shows it that knows both jobs, looks at the first, and has no drafts."""
    shared_page.unroute_all()  # of a test that failed
    shared_page.goto(f"{server.url}/health")  # the workbench keeps its drafts when it is left
    memory = json.dumps({"jobs": list(jobs), "view": jobs[0]})
    shared_page.evaluate(
        "memory => { localStorage.clear(); sessionStorage.clear(); localStorage.setItem('vt-memory', memory); }", memory
    )
    shared_page.set_viewport_size({"width": 1280, "height": 900})
    come(shared_page, server)
    ASKED.clear()
    return shared_page


def come(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.wait_for_selector(f".vt-lines {SAVED}")


def look_at(page: Page, job: str) -> None:
    """Open a film of the list, and wait until its lines are there."""
    page.click(f"[data-open='{job}']")
    page.wait_for_selector(f"[data-open='{job}'][aria-current]")
    page.wait_for_function("job => document.querySelector('[data-film=dub]')?.src.includes(job)", arg=job)


def kept(page: Page) -> None:
    """Wait until what was typed is kept in the browser."""
    page.wait_for_function("Object.keys(localStorage).some(key => key.startsWith('vt-draft:'))")


def texts(server: Server, job: str) -> list[str]:
    return [line["text"] for line in server.json("GET", f"/api/v1/jobs/{job}/segments")["segments"]]


def change(server: Server, job: str, *lines: dict[str, Any]) -> None:
    """Change lines as somebody else does, and wait until that is done."""
    etag = server.ask("GET", f"/api/v1/jobs/{job}/segments").headers["ETag"]
    server.json("PATCH", f"/api/v1/jobs/{job}/segments", json={"segments": list(lines)}, headers={"If-Match": etag})
    assert server.ended(job)["state"] == "done"


@pytest.mark.soak
def test_what_is_typed_for_one_film_never_shows_in_another_and_is_there_again_on_return(
    page: Page, server: Server, jobs: tuple[str, str]
) -> None:
    before = texts(server, jobs[1])
    page.fill(SECOND, "Esto es de la primera.")
    look_at(page, jobs[1])
    expect(page.locator(SECOND)).to_have_value(before[1])
    page.fill(FIRST, "Esto es de la segunda.")
    page.click("[data-save]:enabled")
    page.wait_for_selector(f".vt-lines[data-version='2'] {SAVED}")
    assert texts(server, jobs[1]) == ["Esto es de la segunda.", *before[1:]]
    look_at(page, jobs[0])
    expect(page.locator(SECOND)).to_have_value("Esto es de la primera.")
    expect(page.locator(".vt-save [role=status]")).to_have_text("1 change, not in the dub yet")
    expect(page.locator(".vt-save [role=alert]")).to_contain_text("were kept in this browser")


def test_a_change_outlives_a_reload_that_asks_first_and_a_connection_that_breaks_while_it_is_saved(
    page: Page, server: Server, jobs: tuple[str, str]
) -> None:
    page.click(SECOND)
    page.keyboard.type(" De verdad.")
    typed = page.input_value(SECOND)
    page.reload()
    assert ASKED == ["beforeunload"]
    expect(page.locator(SECOND)).to_have_value(typed)

    def broken(route: Route) -> None:
        route.abort() if route.request.method == "POST" else route.fallback()

    page.route("**/films/*/lines", broken)
    page.click("[data-save]:enabled")
    refusal = page.locator(".vt-save [role=alert]")
    expect(refusal).to_contain_text("The server cannot be reached")
    page.wait_for_function("() => document.querySelector('.vt-save').getBoundingClientRect().bottom <= innerHeight")
    expect(page.locator(SECOND)).to_have_value(typed)
    page.unroute("**/films/*/lines", broken)
    page.click("[data-save]:enabled")
    page.wait_for_selector(f".vt-lines[data-version='2'] {SAVED}")
    assert texts(server, jobs[0])[1] == typed
    assert not page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('vt-draft:'))")


@pytest.mark.soak
def test_what_somebody_else_changed_meanwhile_is_merged_line_by_line(
    page: Page, server: Server, jobs: tuple[str, str]
) -> None:
    page.fill(FIRST, "Buenos tardes.")
    page.fill(SECOND, "Mil gracias.")
    change(server, jobs[0], {"id": 1, "text": "De nada."}, {"id": 2, "text": "Hola."})
    page.click("[data-save]:enabled")
    expect(page.locator(".vt-save [role=alert]")).to_contain_text("Somebody else changed the same places meanwhile (1)")
    expect(page.locator("textarea[data-line='2'][data-field='text']")).to_have_value("Hola.")
    clash = page.locator(".vt-clash")
    expect(clash).to_contain_text("De nada.")
    expect(page.locator(SECOND)).to_have_value("Mil gracias.")
    clash.locator("button").click()
    expect(page.locator(SECOND)).to_have_value("De nada.")
    page.click("[data-save]:enabled")
    expect(page.locator(".vt-save [role=status]")).to_have_text("Nothing is changed yet.")
    assert texts(server, jobs[0])[:3] == ["Buenos tardes.", "De nada.", "Hola."]


@pytest.mark.soak
def test_after_a_redo_is_cancelled_its_changes_are_shown_as_what_is_not_in_the_dub(
    page: Page, server: Server, jobs: tuple[str, str]
) -> None:
    before = texts(server, jobs[0])
    blocking = server.submit(SAMPLE, target_language="fr")  # what is heard takes a while, and one job runs at a time
    page.fill(FIRST, "Nunca dicho.")
    page.click("[data-save]:enabled")
    page.click("#vt-cancel")
    expect(page.locator(".vt-save [role=alert]")).to_contain_text("not in the film")
    server.ask("DELETE", f"/api/v1/jobs/{blocking}")
    expect(page.locator(".vt-save [role=status]")).to_have_text("1 change, not in the dub yet")
    assert texts(server, jobs[0]) == before
    page.click("[data-discard]")
    expect(page.locator(FIRST)).to_have_value(before[0])


@pytest.mark.soak
def test_a_line_is_heard_as_the_original_or_as_the_dub_and_stops_at_its_end_lit_while_it_is_spoken(page: Page) -> None:
    page.evaluate("for (const film of document.querySelectorAll('[data-film]')) film.muted = true")
    for which, least, most in (("original", 6.4, 7.2), ("dub", 4.5, 7.5)):
        page.click(f"[data-row='line 1'] [data-hear-line={which}]")
        page.wait_for_selector("[data-row='line 1'].vt-lit")
        page.wait_for_function("which => document.querySelector(`[data-film=${which}]`).paused", arg=which)
        at = page.evaluate("which => document.querySelector(`[data-film=${which}]`).currentTime", which)
        assert least < at < most
        expect(page.locator(f"[data-film={which}]")).to_be_visible()
    before = page.evaluate("document.querySelector('[data-film=dub]').currentTime")
    page.click("[data-which=original]")
    after = page.evaluate("document.querySelector('[data-film=original]').currentTime")
    assert abs(before - after) < 0.1


@pytest.mark.soak
def test_an_earlier_take_is_read_heard_and_brought_back_without_being_spoken_again(
    page: Page, server: Server, jobs: tuple[str, str]
) -> None:
    job = jobs[0]
    before = texts(server, job)[1]
    change(server, job, {"id": 1, "text": "Otra toma."})
    come(page, server)
    assert page.locator("option[value=unsure]").count() == 0  # captions say nothing of how sure they are
    page.focus("[data-row='line 3']")
    expect(page.locator("[data-row='line 3'] [data-act=takes]")).to_be_disabled()
    page.focus("[data-row='line 1']")
    page.click("[data-row='line 1'] [data-act=takes]")
    take = page.locator("[data-row='line 1'] .vt-takes p", has_text=before)
    with page.expect_response("**/takes/*/sound") as heard:
        take.locator("[data-sample]").click()
    assert heard.value.ok
    assert heard.value.header_value("content-type") == "audio/wav"
    take.locator("[data-take]").click()
    expect(page.locator(SECOND)).to_have_value(before)
    page.click("[data-save]:enabled")
    expect(page.locator(".vt-save [role=status]")).to_have_text("Nothing is changed yet.")
    assert texts(server, job)[1] == before
    takes = server.json("GET", f"/api/v1/jobs/{job}/segments/1/takes")["takes"]
    assert [(one["text"], one["is_present"]) for one in takes][:2] == [(before, True), ("Otra toma.", False)]


@contextmanager
def saved_and_heard_at_once(page: Page, hear: Locator) -> Iterator[None]:
    """Within the block a line is saved and asked for; it has to be heard as it is spoken, before the film is done."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.evaluate(SOUNDS)
    page.route("**/films/*/lines", hold)
    yield
    expect(hear).to_have_attribute("aria-busy", "true")
    with page.expect_response("**/fresh-lines/1?version=*") as answer:
        held[0].continue_()
        page.unroute("**/films/*/lines", hold)
    assert (answer.value.status, answer.value.header_value("content-type")) == (200, "audio/wav")
    page.wait_for_function("() => sounds.length === 1 && sounds[0].startsWith('blob:')")
    expect(hear).to_have_attribute("aria-busy", "false")


@pytest.mark.soak
def test_what_is_typed_is_spoken_as_soon_as_somebody_rests_and_a_save_finds_it(
    page: Page, server: Server, jobs: tuple[str, str]
) -> None:
    job, typed = jobs[0], "Esto se dice antes."
    before = texts(server, job)[1]
    drafts = server.folder / "data" / "jobs" / job / "drafts"
    version = int(page.get_attribute(".vt-lines", "data-version") or 0) + 1
    page.click(SECOND)
    page.keyboard.press("Control+a")
    with page.expect_response(lambda answer: is_taken(answer, job, typed)):
        page.keyboard.type(typed)
    wait_for(lambda: any(drafts.glob("take-*")))
    assert texts(server, job)[1] == before
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(f".vt-lines[data-version='{version}'] {SAVED}")
    assert (texts(server, job)[1], drafts.exists()) == (typed, False)
    change(server, job, {"id": 1, "text": before})


def is_taken(answer: Response, job: str, text: str) -> bool:
    """Tell whether an answer says that the second line, and nothing else, is spoken with this text ahead."""
    if not answer.url.endswith(f"/films/{job}/drafts") or answer.status != 202:
        return False
    return bool(json.loads(answer.request.post_data or "")["lines"] == [{"id": 1, "text": text}])


def test_the_keys_search_step_write_undo_and_save(page: Page, server: Server, jobs: tuple[str, str]) -> None:
    page.focus("[data-row='line 0']")
    page.keyboard.press("/")
    page.keyboard.type(page.input_value(SECOND)[:7])
    expect(page.locator(".vt-rows li")).to_have_count(1)
    page.fill(".vt-search", "")
    page.focus("[data-row='line 0']")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(SECOND)).to_be_focused()
    page.keyboard.type(" Bien.")
    typed = page.input_value(SECOND)
    page.keyboard.press("Control+z")
    expect(page.locator(".vt-save [role=status]")).to_have_text("Nothing is changed yet.")
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(SECOND)).to_have_value(typed)
    with saved_and_heard_at_once(page, page.locator("[data-row='line 1'] [data-hear-line=dub]")):
        page.keyboard.press("Control+Enter")
        page.keyboard.press("Escape")
        page.keyboard.press("d")
    expect(page.locator(".vt-save [role=status]")).to_have_text("Nothing is changed yet.")
    assert texts(server, jobs[0])[1] == typed
    page.keyboard.press("?")
    expect(page.locator(".vt-help")).to_be_visible()


def lines(server: Server, job: str) -> list[tuple[str, str, int]]:
    found = server.json("GET", f"/api/v1/jobs/{job}/segments")["segments"]
    return [(line["source_text"], line["text"], line["speaker"]) for line in found]


@pytest.mark.soak
def test_a_line_is_cut_in_two_removed_added_and_joined_and_the_others_are_spoken_as_before(
    page: Page, server: Server, jobs: tuple[str, str]
) -> None:
    before = lines(server, jobs[0])
    third = "textarea[data-line='2'][data-field='text']"
    page.fill(third, "¿Qué tal? ¿El viaje?")
    page.evaluate("place => document.querySelector(place).setSelectionRange(9, 9)", third)
    page.click("[data-act=split]")
    expect(page.locator(".vt-rows li")).to_have_count(5)
    page.focus("[data-row='line 3']")
    page.click("[data-act=remove]")
    expect(page.locator(".vt-save [role=status]")).to_have_text("3 changes, not in the dub yet")
    page.click("[data-save]:enabled")
    expect(page.locator(".vt-save [role=status]")).to_have_text("Nothing is changed yet.")
    after = lines(server, jobs[0])
    assert after[:2] == before[:2]
    assert [line[1:] for line in after[2:]] == [("¿Qué tal?", 0), ("¿El viaje?", 0), ("", 1)]
    expect(page.locator(".vt-rows li")).to_have_count(4)
    page.focus("[data-row='line 2']")
    page.click("[data-act=join]")
    page.focus("[data-row='line 1']")
    page.click("[data-act=insert]")
    page.keyboard.type("Nuevo.")
    page.reload()  # drafts of every kind are there again
    expect(page.locator(".vt-save [role=status]")).to_have_text("3 changes, not in the dub yet")
    page.click("[data-save]:enabled")
    expect(page.locator(".vt-save [role=status]")).to_have_text("Nothing is changed yet.")
    last = lines(server, jobs[0])
    assert last[:2] == before[:2]
    assert [line[1] for line in last[2:]] == ["Nuevo.", "¿Qué tal? ¿El viaje?", "", ""]
    assert last[3][0] == before[2][0]


def test_an_edge_is_moved_by_arrow_keys_and_by_dragging_and_a_press_on_the_chart_seeks(page: Page) -> None:
    page.focus("[data-row='line 0']")
    end = page.locator(".vt-edge.vt-end[aria-label='End of line 1']")
    before = float(end.get_attribute("aria-valuenow") or 0)
    end.press("ArrowRight")
    expect(end).to_have_attribute("aria-valuenow", f"{before + 0.1:.2f}")
    box = end.bounding_box()
    assert box
    page.mouse.move(box["x"] + 12, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 42, box["y"] + 20)
    page.mouse.up()
    assert float(end.get_attribute("aria-valuenow") or 0) > before + 0.5
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(page.locator(".vt-save [role=status]")).to_have_text("Nothing is changed yet.")
    page.locator(".vt-strip canvas").click(position={"x": 300, "y": 40})
    at = page.evaluate("document.querySelector('[data-film=dub]').currentTime")
    assert at > 3
    page.locator(".vt-playhead").press("ArrowRight")
    page.wait_for_function("at => document.querySelector('[data-film=dub]').currentTime > at + 0.9", arg=at)


@pytest.mark.soak
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_player_and_save_bar_stay_in_sight_over_the_lines(page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("document.querySelector('.vt-rows').scrollIntoView()")
    page.wait_for_selector(".vt-player.vt-compact")
    at = page.evaluate(
        "() => ['.vt-save', '.vt-player'].map(name => document.querySelector(name).getBoundingClientRect())"
        ".map(one => [one.top, one.bottom])"
    )
    assert at[0][1] <= height + 1 and at[1][0] == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.soak
def test_of_thousands_of_lines_only_those_in_sight_are_drawn_and_the_last_is_found_at_once(page: Page) -> None:
    def many(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        first = told["lines"][0]
        told["lines"] = [
            first | {"id": place, "start": place, "end": place + 0.9, "text": f"Frase {place}."}
            for place in range(2000)
        ]
        told["lines"][7]["confidence"] = 0.42
        told["seconds"] = 2000.0
        route.fulfill(response=answer, json=told)

    page.route("**/films/*/lines", many)
    page.reload()
    page.wait_for_selector(f".vt-lines {SAVED}")
    assert page.locator(".vt-rows li").count() < 60
    page.fill(".vt-search", "frase 1999")
    expect(page.locator("[data-row='line 1999']")).to_be_visible()
    expect(page.locator(".vt-found")).to_have_text("1 of 2000 lines")
    page.fill(".vt-search", "")
    page.get_by_label("Which lines are shown").select_option("unsure")
    expect(page.locator(".vt-found")).to_have_text("1 of 2000 lines")
    expect(page.locator("[data-row='line 7'] .vt-unsure")).to_have_text("heard uncertainly: 42 %")
    page.fill("[data-row='line 7'] [data-field=source_text]", "Written anew")
    expect(page.locator("[data-row='line 7'] .vt-unsure")).to_be_hidden()
    page.unroute("**/films/*/lines", many)


def test_the_page_saves_lines_as_json_alone_and_refuses_in_the_readers_language(
    server: Server, jobs: tuple[str, str]
) -> None:
    def sent(body: str, job: str = jobs[1], to: str = "lines", **headers: str) -> tuple[int, str]:
        headers = {"Content-Type": "application/json", **headers}
        answer = server.ask("POST", f"/films/{job}/{to}", content=body, headers=headers)
        assert answer.headers["content-type"].startswith("text/plain"), answer.text
        return answer.status_code, answer.text

    change = json.dumps({"version": 10**6, "lines": [{"id": 0, "text": "x"}], "speakers": []})
    assert sent(change, **{"Content-Type": "text/plain"})[0] == 415
    assert sent("{")[0] == sent("[]")[0] == 400
    assert sent(change, "a" * 26)[0] == 404
    assert sent(change)[0] == 412
    assert [sent(change, "a" * 26, "drafts")[0], sent(change, to="drafts")[0]] == [404, 412]
    version = int(server.ask("GET", f"/api/v1/jobs/{jobs[1]}/segments").headers["ETag"].strip('"'))
    strange: list[dict[str, Any]] = [
        {"lines": [{"id": 0, "start": 10**400}]}, {"added": [{}]}, {"added": 7},
        {"added": [{"start": None, "end": 1, "text": "x"}]},
        {"added": [{"start": 0, "end": 1, "text": "x", "id": 1}]}, {"lines": "x"}, {},
    ]  # fmt: skip
    for wrong in strange:
        assert sent(json.dumps({"version": version, "lines": [], "speakers": [], **wrong}))[0] == 422
    early = json.dumps(
        {"version": version, "lines": [], "speakers": [], "added": [{"start": 2, "end": 1, "text": "x"}]}
    )
    status, said = sent(early, **{"Accept-Language": "es"})
    assert (status, said[:38]) == (422, "Una línea nueva no puede durar de 2,00")
    assert server.ask("GET", "/static/lines-0/nothing.js").status_code == 404
    of_no_edit = [f"{jobs[1]}/fresh-lines/0?version={version}", f"{'a' * 26}/fresh-lines/0?version=1"]
    assert [server.ask("GET", f"/films/{one}").status_code for one in of_no_edit] == [404, 404]
    assert server.ask("GET", f"/films/{jobs[1]}/fresh-lines/{10**30}?version={version}").status_code == 422


DAMAGED = """async () => {
  const script = performance.getEntriesByType('resource').find(one => one.name.includes('/bench.js')).name;
  const [{Drafts, applied}, {Takes}] = await Promise.all(
    ['drafts.js', 'takes.js'].map(name => import(script.replace('bench.js', name))));
  const line = {id: 0, start: 0, end: 2, source_text: 'Heard', text: 'Dicho', speaker: 0};
  const speakers = [{id: 0, label: '', voice: 'a'}], {id: _, ...fields} = line;
  const whole = {was: line, now: {text: 'Otro'}};
  const kept = entries => JSON.stringify({at: 1, entries});
  const of = text => {
    const held = {getItem: () => text, setItem(name, value) { this.set = value; }, removeItem() { this.set = null; }};
    const drafts = new Drafts(held, 'j'), entries = drafts.read();
    const {rows, count} = applied([line], speakers, entries);
    drafts.write(entries);
    return [rows.map(one => one.text).join(), count, Boolean(held.set)];
  };
  const strange = [
    null, '', '{', 'null', '7', '[]', '"x"', '{}', kept(null), kept([whole]), kept('x'),
    ...[null, 7, [], {}, {now: {}}, {was: null, now: {text: 'x'}}, {was: line}, {was: line, now: {text: 7}},
      {was: line, now: {text: {}}}, {was: line, now: {start: '1'}}, {was: line, now: {start: null}},
      {was: line, now: {start: 1e99}}, {was: line, now: {speaker: 0.5}}, {was: line, now: {speaker: -1}},
      {was: {...line, id: 'x'}, now: {text: 'x'}}, {was: {...line, start: undefined}, now: {text: 'x'}},
      {was: line, now: {text: 'x'.repeat(1e6)}}, {was: line, now: {constructor: 'x'}}, {was: line, now: [], more: 1},
    ].map(entry => kept({'line 0': entry})),
    kept({'line x': whole}), kept({constructor: whole}), '{"entries": {"__proto__": {"line 0": 1}}}',
    kept({'new 1': {now: {...fields, text: null}}}), kept({'new 1': {now: {text: 'x'}}}), kept({'gone 0': {}}),
    kept({'speaker 0': {was: {}, now: {label: 7}}}), kept({'speaker 0': {now: {label: 'x'}}}),
    kept({'speaker 0': {was: {}, now: {id: 3}}}), '['.repeat(1e5), ' '.repeat(4e6),
  ];
  const takes = new Takes({data: {voices: [{id: 'a'}, {id: 'b'}]}});
  const state = {rows: [{text: 'Dicho', speaker: 0}], speakers}, take = {id: '1', text: 'Otra', voice: 'b'};
  const choose = one => { takes.shown = {list: [{...take, ...one}]}; return takes.chosen(state, 0, '1'); };
  return {
    strange: [...new Set(strange.map(text => JSON.stringify(of(text))))],
    good: of(kept({'line 0': whole, 'line 1': 7, 'new 1': {now: {...fields, text: 'Nuevo'}},
      'speaker 0': {was: {voice: 'a'}, now: {voice: 'b'}}})),
    off: [new Drafts(null, 'j').read(), ...[{}, {'line 0': whole}].map(one => new Drafts(null, 'j').write(one))],
    chosen: [choose({}), choose({voice: 'gone'}), choose({speaker: 1})].map(({rows, speakers}) =>
      [rows[0].text, rows[0].speaker, speakers[0].voice]),
  };
}"""


@pytest.mark.soak
def test_damaged_drafts_are_left_out_and_the_good_ones_among_them_are_not(page: Page, jobs: tuple[str, str]) -> None:
    assert page.evaluate(DAMAGED) == {
        "strange": ['["Dicho",0,false]'],
        "good": ["Otro,Nuevo", 3, True],
        "off": [{}, True, False],
        "chosen": [["Otra", 0, "b"], ["Otra", 0, "a"], ["Otra", 1, "a"]],
    }
    damaged = '{"entries": {"line 0": {"was": {"start": 0}, "now": {"text": []}}, "speaker 0": null}}'
    page.evaluate("([name, text]) => localStorage.setItem(name, text)", [f"vt-draft:{jobs[0]}", damaged])
    page.reload()
    page.wait_for_selector(f".vt-lines {SAVED}")
    expect(page.locator(".vt-save [role=status]")).to_have_text("Nothing is changed yet.")


LOGIC = """async forms => {
  const script = performance.getEntriesByType('resource').find(one => one.name.endsWith('/lines/bench.js')
    || one.name.includes('/bench.js')).name;
  const from = name => import(script.replace('bench.js', name));
  const [{rowOf, split, joined, inserted, moved, removed, asked, numbersOf}, {applied, entriesOf}, {replaced},
    {secondsOf, clock, wordsOf}] = await Promise.all(['model.js', 'drafts.js', 'search.js', 'dom.js'].map(from));
  const line = (id, start, text) =>
    ({id, start, end: start + 2, source_text: `Heard ${id} it was`, text, speaker: 0, room: 2, natural: 2, tempo: 1});
  const lines = [line(0, 0, 'Una frase larga'), line(1, 3, 'Dos'), line(2, 6, 'Tres')];
  const rows = lines.map(rowOf), speakers = [];
  const halves = split(rows, 0, 'text', 'Una frase'.length);
  const cut = {rows: halves, speakers};
  const told = asked(lines, cut), again = applied(lines, speakers, entriesOf(lines, cut));
  const done = applied([{...lines[0], text: 'Una frase', end: halves[0].end, source_text: halves[0].source_text},
    {...line(1, halves[1].start, 'larga'), end: 2, source_text: halves[1].source_text},
    {...lines[1], id: 2}, {...lines[2], id: 3}], speakers, entriesOf(lines, cut));
  const fewer = {rows: removed(inserted(halves, 2, 10), 0), speakers};
  return {
    numbers: [...numbersOf(lines, fewer.rows, asked(lines, fewer)).values()],
    halves: halves.slice(0, 2).map(one => [one.start, one.end, one.source_text, one.text]),
    joined: joined(halves, 0).map(one => [one.start, one.end, one.source_text, one.text])[0],
    told: [told.lines.length, told.added.length],
    again: again.rows.map(one => one.text), left: done.count,
    empty: inserted(rows, 0, 10)[1].start, moved: moved(rows, 1, 10, 'start', 9)[1].start,
    replaced: replaced(rows, 'DOS', '$&')[0][1].text,
    times: ['1:02:03.5', '62,5', '0:07', '7.', 'x', '1:2:3:4', ''].map(secondsOf), clock: clock(3723.456, 2),
    counted: [1, 3, 5, 22].map(count => wordsOf({hours: forms}, 'pl')('hours', {count})),
  };
}"""


def test_lines_are_split_joined_inserted_moved_and_merged_with_what_the_server_has(page: Page) -> None:
    forms = {"one": "{count} godzina", "few": "{count} godziny", "many": "{count} godzin", "other": "{count} godziny"}
    assert page.evaluate(LOGIC, forms) == {
        "numbers": [1, 2, 3, 4],
        "halves": [[0, 1.2, "Heard 0", "Una frase"], [1.2, 2, "it was", "larga"]],
        "joined": [0, 2, "Heard 0 it was", "Una frase larga"],
        "told": [1, 1],
        "again": ["Una frase", "larga", "Dos", "Tres"],
        "left": 0,
        "empty": 2,
        "moved": 4.9,
        "replaced": "$&",
        "times": [3723.5, 62.5, 7, 7, None, None, None],
        "clock": "1:02:03.46",
        "counted": ["1 godzina", "3 godziny", "5 godzin", "22 godziny"],
    }
