"""Who may manage models: the rule, case by case."""

from __future__ import annotations

import pytest

from tests.test_factory import settings
from vt.errors import AdminRefused, TokenRefused
from vt.guard import admit

TOKEN = "sesame"  # noqa: S105
LOCAL = {"host": "127.0.0.1:8000"}
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "localhost"])
@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:8000"])
def test_without_a_token_who_sits_at_the_machine_may(peer: str, origin: str | None) -> None:
    admit(settings(), peer, LOCAL | ({"origin": origin} if origin else {}))


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("192.0.2.1", {}),
        ("", {}),
        ("127.0.0.1", {"x-forwarded-for": "192.0.2.1"}),
        ("127.0.0.1", {"x-real-ip": "127.0.0.1"}),
        ("127.0.0.1", {"via": "1.1 proxy"}),
        ("127.0.0.1", {"x-forwarded-server": "proxy.example"}),
        ("127.0.0.1", {"origin": "null"}),
        ("127.0.0.1", {"origin": ""}),
        ("127.0.0.1", {"origin": "http://[no-address"}),
        ("127.0.0.1", {"origin": "http://127.0.0.1:3000"}),
        ("127.0.0.1", {"origin": "http://rebound.example", "host": "rebound.example"}),
    ],
)
def test_without_a_token_nobody_else_may(peer: str, headers: dict[str, str]) -> None:
    with pytest.raises(AdminRefused) as caught:
        admit(settings(), peer, LOCAL | headers)
    assert not isinstance(caught.value, TokenRefused)


def test_on_a_space_a_token_is_always_needed() -> None:
    with pytest.raises(AdminRefused, match="on a Space"):
        admit(settings(space_id="someone/vt"), "127.0.0.1", LOCAL)
    admit(settings(space_id="someone/vt", admin_token=TOKEN), "10.0.0.1", LOCAL | BEARER)


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.1"])
def test_with_a_token_whoever_knows_it_may(peer: str) -> None:
    admit(settings(admin_token=TOKEN), peer, BEARER)
    admit(settings(admin_token=TOKEN), peer, {}, TOKEN)
    for wrong in ({"authorization": "Bearer wrong"}, {"authorization": "Bearer sésame"}):
        with pytest.raises(TokenRefused):
            admit(settings(admin_token=TOKEN), peer, wrong)


def test_with_a_token_nobody_gets_through_without_one() -> None:
    with pytest.raises(TokenRefused):
        admit(settings(admin_token=TOKEN), "127.0.0.1", LOCAL)
    with pytest.raises(AdminRefused):
        admit(settings(admin_token=TOKEN), "192.0.2.1", LOCAL)
