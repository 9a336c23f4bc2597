"""A dialed name: what depends on the authority is settled when compiling, and the request leaves with it."""

from dataclasses import replace

import pytest

from localmesh.mesh import Dial
from localmesh.mesh.routes import (
    Forward,
    HttpRoute,
    Redirect,
    RequestMatch,
    Rewrite,
    Text,
    TextMatch,
)
from localmesh.xds import dials
from tests.localmesh.xds import meshes

DIAL = Dial(meshes.USER, meshes.GRPC, *meshes.DIALED, authority=meshes.AUTHORITY)


def settled(*routes: HttpRoute) -> tuple[HttpRoute, ...]:
    return dials.route_table(meshes.virtual_host(*routes), DIAL).virtual_hosts[0].routes


@pytest.mark.parametrize(
    ("wanted", "stays"),
    [
        (TextMatch(Text.EXACT, meshes.AUTHORITY), True),
        (TextMatch(Text.EXACT, meshes.USER), False),
        (TextMatch(Text.PREFIX, "user."), True),
        (TextMatch(Text.REGEX, r"user\..*:[0-9]+"), True),
        (TextMatch(Text.REGEX, "user"), False),
        (TextMatch(Text.PRESENT), True),
    ],
)
def test_an_authority_match_holds_or_its_route_is_gone(wanted: TextMatch, stays: bool) -> None:
    by_field = replace(meshes.to_user(), match=RequestMatch(authority=wanted))
    by_header = replace(meshes.to_user(), match=RequestMatch(headers=((":authority", wanted),)))
    for route in (by_field, by_header):
        assert [one.match for one in settled(route)] == ([RequestMatch()] if stays else [])
    without = replace(meshes.to_user(), match=RequestMatch(without_headers=((":authority", wanted),)))
    assert len(settled(without)) == (0 if stays else 1)


def test_a_request_leaves_with_the_dialed_authority_unless_a_rewrite_says_otherwise() -> None:
    plain, rewritten = meshes.to_user(), meshes.to_user()
    assert isinstance(rewritten.action, Forward)
    rewritten = replace(rewritten, action=replace(rewritten.action, rewrite=Rewrite("/x", authority="other")))
    authorities = [one.action.rewrite.authority for one in settled(plain, rewritten)]  # type: ignore[union-attr]
    assert authorities == [meshes.AUTHORITY, "other"]


@pytest.mark.parametrize(
    ("written", "authority"),
    [
        (Redirect(path="/new"), meshes.AUTHORITY),
        (Redirect(port=8443), meshes.USER),
        (Redirect(authority="other"), "other"),
    ],
)
def test_a_redirect_never_names_our_own_listener(written: Redirect, authority: str) -> None:
    (made,) = settled(HttpRoute("r", written))
    assert isinstance(made.action, Redirect)
    assert made.action.authority == authority
