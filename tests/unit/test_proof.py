"""Trees, proofs, signatures and notes are those of the standards, checked by others' implementations."""

from __future__ import annotations

import base64
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from retinue import proof

# RFC 6962's reference tree, as Certificate Transparency's own tests have it: leaves, and roots of 1 to 8 of them.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# RFC 8032, section 7.1: public key, message, signature.
SIGNED = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize("size", range(1, 9))
def test_a_tree_has_the_root_of_the_standard(size: int) -> None:
    """
    The published roots of RFC 6962 come out.
    """
    leaves = [proof.leaf_hash(bytes.fromhex(each)) for each in LEAVES[:size]]

    assert ROOTS[size - 1] == proof.tree_hash(leaves).hex()
    assert "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" == proof.tree_hash([]).hex()


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=80), st.data())
def test_inclusion_is_as_another_implementation_has_it(entries: list[bytes], data: st.DataObject) -> None:
    """
    Roots are pymerkle's, and what it proves holds here; for another leaf, place, size or root it does not.
    """
    other = InmemoryTree(algorithm="sha256")
    for each in entries:
        other.append_entry(each)
    size = data.draw(st.integers(1, len(entries)))
    index = data.draw(st.integers(0, size - 1))
    leaf, root = proof.leaf_hash(entries[index]), other.get_root(size)
    path = other.prove_inclusion(index + 1, size).path[1:]

    assert root == proof.tree_hash([proof.leaf_hash(each) for each in entries[:size]])
    assert proof.is_included(leaf, index, size, path, root)
    assert not proof.is_included(proof.leaf_hash(b"?" * 41), index, size, path, root)
    assert not proof.is_included(leaf, index, size, [*path, root], root)
    assert not proof.is_included(leaf, size, size, path, root)
    assert not path or not proof.is_included(leaf, index, size, path[:-1], root)
    assert not proof.is_included(leaf, index, size, path, leaf if path else proof.EMPTY)


def _naive_consistency(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """RFC 9162, section 2.1.4.1, word for word."""
    if old == len(leaves):
        return [] if whole else [proof.tree_hash(leaves)]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if old <= split:
        return [*_naive_consistency(old, leaves[:split], whole), proof.tree_hash(leaves[split:])]
    return [*_naive_consistency(old - split, leaves[split:], False), proof.tree_hash(leaves[:split])]


@given(st.integers(1, 70), st.data())
def test_consistency_is_what_the_standard_says(new: int, data: st.DataObject) -> None:
    """
    Each proof that the standard defines holds between the two roots, and none does for another tree.
    """
    leaves = [proof.leaf_hash(str(each).encode()) for each in range(new)]
    old = data.draw(st.integers(1, new))
    roots = proof.tree_hash(leaves[:old]), proof.tree_hash(leaves)
    path = _naive_consistency(old, leaves)
    other = proof.tree_hash([*leaves[: old - 1], proof.leaf_hash(b"other")])

    assert proof.is_consistent(old, roots[0], new, roots[1], path)
    assert not proof.is_consistent(old, other, new, roots[1], path)
    assert not proof.is_consistent(old, roots[0], new, other, path)
    assert not proof.is_consistent(old, roots[0], new, roots[1], [*path, other])
    assert not path or not proof.is_consistent(old, roots[0], new, roots[1], path[:-1])
    assert not proof.is_consistent(new, roots[1], old, roots[0], path) or old == new


def test_nothing_is_the_beginning_of_every_tree() -> None:
    """
    The empty tree is consistent with any, and with its own root only.
    """
    root = proof.tree_hash([proof.leaf_hash(b"a")])

    assert proof.is_consistent(0, proof.EMPTY, 1, root, [])
    assert not proof.is_consistent(0, root, 1, root, [])


@pytest.mark.parametrize(("public", "text", "signature"), SIGNED)
def test_signatures_of_the_standard_hold(public: str, text: str, signature: str) -> None:
    """
    RFC 8032's vectors hold; with one bit changed anywhere they do not.
    """
    key, message, signed = (bytes.fromhex(each) for each in (public, text, signature))

    assert proof.is_signed(key, message, signed)
    assert not proof.is_signed(key, message + b"x", signed)
    for at in range(0, 64, 7):
        assert not proof.is_signed(key, message, signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :])
    assert not proof.is_signed(bytes([key[0] ^ 1]) + key[1:], message, signed)
    assert not proof.is_signed(
        key, message, signed[:32] + (int.from_bytes(signed[32:], "little") + _ORDER).to_bytes(32, "little")
    )


_ORDER = 2**252 + 27742317777372353535851937790883648493


def _signed_by_another(text: str, name: str) -> tuple[bytes, str]:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    signature = proof.key_id(name, public) + private.sign(text.encode())
    return public, f"{text}\n— {name} {base64.b64encode(signature).decode()}\n"


def test_a_note_is_read_and_checked() -> None:
    """
    A checkpoint signed by another implementation of Ed25519 holds under its key, and not under another, nor for
    another size, root, origin or name.
    """
    origin, root = "acme.example/ledger/1", secrets.token_bytes(32)
    public, note = _signed_by_another(f"{origin}\n12\n{base64.b64encode(root).decode()}\n", origin)
    found = proof.read_checkpoint(note)
    found.check(public)

    assert (origin, 12, root) == (found.origin, found.size, found.root)
    assert (origin, public) == proof.read_key(proof.told_key(origin, public))
    for old, new in (
        ("\n12\n", "\n13\n"),
        ("/1\n", "/2\n"),
        (base64.b64encode(root).decode(), base64.b64encode(b"r" * 32).decode()),
    ):
        assert old in note
        with pytest.raises(proof.NotProven):
            proof.read_checkpoint(note.replace(old, new)).check(public)
    with pytest.raises(proof.NotProven):
        found.check(_signed_by_another("", "")[0])


@pytest.mark.parametrize("note", ["", "a\n1\n\n", "a\n01\n" + "A" * 43 + "=\n\n— a AAAA\n", "a\n1\nAAAA\n\n— a AAAA\n", f"a\n{'9' * 5000}\n" + "A" * 43 + "=\n\n— a AAAA\n", "a\n-1\n" + "A" * 43 + "=\n\n— a AAAA\n", "a\n1\n" + "A" * 43 + "=\n\n- a AAAA\n", "a\n1\n" + "A" * 43 + "=\n\n— a !\n"])  # fmt: skip
def test_what_is_no_note_is_refused(note: str) -> None:
    """
    A number with a leading zero, a sign or thousands of digits, a short root, a dash that is none and other text raise one error.
    """
    with pytest.raises(proof.NotProven):
        proof.read_checkpoint(note)


@pytest.mark.parametrize(
    "key", ["", "a", "a+00000000+AAAA", "a+zz+" + base64.b64encode(b"\x01" * 33).decode()]
)
def test_what_is_no_key_is_refused(key: str) -> None:
    """
    A key names itself by its id, which must be that of its name and bytes.
    """
    with pytest.raises(proof.NotProven):
        proof.read_key(key)
