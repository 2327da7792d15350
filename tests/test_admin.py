"""Who may manage models: the rule, case by case."""

from __future__ import annotations

import pytest

from tests.test_factory import settings
from vt.errors import AdminRefused, TokenRefused
from vt.web.admin import admit, summary
from vt.web.visitors import Visitor

TOKEN = "sesame"  # noqa: S105
BEARER = {"authorization": f"Bearer {TOKEN}"}
LOCAL, REMOTE = Visitor("127.0.0.1", is_local=True), Visitor("192.0.2.1")


def test_without_a_token_who_sits_at_the_machine_may_and_nobody_else() -> None:
    admit(settings(), LOCAL, {})
    for visitor in (REMOTE, Visitor("127.0.0.1"), Visitor()):
        with pytest.raises(AdminRefused) as caught:
            admit(settings(), visitor, BEARER)
        assert not isinstance(caught.value, TokenRefused)


def test_on_a_space_it_is_said_that_a_token_is_needed() -> None:
    with pytest.raises(AdminRefused, match="on a Space"):
        admit(settings(space_id="someone/vt"), REMOTE, {})
    admit(settings(space_id="someone/vt", admin_token=TOKEN), REMOTE, BEARER)


@pytest.mark.parametrize("visitor", [LOCAL, REMOTE])
def test_with_a_token_whoever_knows_it_may(visitor: Visitor) -> None:
    admit(settings(admin_token=TOKEN), visitor, BEARER)
    admit(settings(admin_token=TOKEN), visitor, {}, TOKEN)
    for wrong in ("wrong", "sésame", "\ud800"):
        with pytest.raises(TokenRefused):
            admit(settings(admin_token=TOKEN), visitor, {}, wrong)


def test_with_a_token_nobody_gets_through_without_one() -> None:
    with pytest.raises(TokenRefused):
        admit(settings(admin_token=TOKEN), LOCAL, {})
    with pytest.raises(AdminRefused):
        admit(settings(admin_token=TOKEN), REMOTE, {})


def test_the_start_says_who_may() -> None:
    assert "whoever knows VT_ADMIN_TOKEN" in summary(settings(admin_token=TOKEN))
    assert "by nobody" in summary(settings(space_id="someone/vt"))
    assert "by nobody" in summary(settings(trusted_proxies=("10.0.0.1",)))
    assert "behind a proxy needs VT_ADMIN_TOKEN" in summary(settings())
