"""The signing key: made once, kept private, replaced without losing what the old one signed."""

from __future__ import annotations

import json
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from services.consent.signing import Keys, PublicKeys, rotate
from services.kernel.errors import ConfigurationError, InvalidMessage


def test_the_first_start_makes_a_key_that_nobody_else_can_read(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "key.json"
    first = Keys.of_file(file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Keys.of_file(file).public == first.public
    assert [path.name for path in file.parent.iterdir()] == ["key.json"]


def test_of_instances_that_start_at_once_all_have_the_same_key(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def begin(_: int) -> str:
        start.wait()
        return json.dumps(Keys.of_file(tmp_path / "key.json").public)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(begin, range(8)))) == 1


def test_what_is_published_holds_no_private_part(tmp_path: Path) -> None:
    (public,) = Keys.of_file(tmp_path / "key.json").public["keys"]

    assert public["kid"]
    assert "d" not in public
    assert (public["alg"], public["use"]) == ("Ed25519", "sig")


def test_what_was_signed_comes_back_and_only_as_what_it_is(tmp_path: Path) -> None:
    keys = Keys.of_file(tmp_path / "key.json")
    public = PublicKeys(keys.public)
    signed = keys.sign("signpost-anchor", {"é": 1})

    assert public.content("signpost-anchor", f" {signed}\n") == {"é": 1}
    with pytest.raises(InvalidMessage, match="no signpost-receipt"):
        public.content("signpost-receipt", signed)


def test_a_new_key_signs_and_the_old_one_still_vouches(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    old = Keys.of_file(file)
    before = old.sign("signpost-anchor", {"n": 1})
    new = rotate(file)
    after = new.sign("signpost-anchor", {"n": 2})
    public = PublicKeys(Keys.of_file(file).public)

    assert [public.content("signpost-anchor", signed)["n"] for signed in (before, after)] == [1, 2]
    with pytest.raises(InvalidMessage, match="not among these"):
        PublicKeys(old.public).content("signpost-anchor", after)
    assert file.read_text().count('"d"') == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_single_key_will_do(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    key = OKPKey.generate_key("Ed25519")
    file.write_text(json.dumps(key.as_dict(private=True)))
    file.chmod(0o600)

    assert PublicKeys(Keys.of_file(file).public["keys"][0])


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"keys": []}', json.dumps(OKPKey.generate_key("Ed25519").as_dict(private=False))],
    ids=["empty", "a-list", "an-object", "no-keys", "a-public-key"],
)
def test_a_file_that_cannot_sign_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key.json"
    file.write_text(content)
    file.chmod(0o600)

    for use in (Keys.of_file, rotate):
        with pytest.raises(ConfigurationError, match=r"key\.json"):
            use(file)


def test_a_key_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    Keys.of_file(file)
    file.chmod(0o644)

    with pytest.raises(ConfigurationError, match="Everybody on this machine can read"):
        Keys.of_file(file)


@pytest.mark.parametrize(
    "jwks",
    [{}, [], 3, {"keys": 3}, {"keys": []}, OKPKey.generate_key("X25519").as_dict(private=False)],
    ids=["nothing", "a-list", "a-number", "keys-a-number", "no-keys", "one-that-cannot-sign"],
)
def test_what_are_no_keys_is_said(jwks: Any) -> None:
    with pytest.raises(InvalidMessage, match=r"JSON Web Key Set"):
        PublicKeys(jwks)
