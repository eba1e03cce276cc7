from __future__ import annotations

import contextlib
import gzip
import io
import struct
import tarfile
import tracemalloc
import warnings
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktransfer.datasets._archive import ArchiveError, Limits, read_tar_gz, read_zip

LIMITS = Limits(members=8, member_bytes=1_000, total_bytes=2_000)


def everything(name: str) -> bool:
    return True


def make_zip(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore", UserWarning)  # duplicates are meant
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def make_tar_gz(*members: tuple[str | tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def tar_member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def zip_member(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


both = pytest.mark.parametrize(
    ("read", "make"), [(read_zip, make_zip), (read_tar_gz, make_tar_gz)], ids=["zip", "tar"]
)

component = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
names = st.lists(component, min_size=1, max_size=3).map("/".join)
contents = st.dictionaries(names, st.binary(max_size=200), min_size=1, max_size=8).filter(
    lambda found: len({name.casefold() for name in found}) == len(found)
)


# Honest archives


@both
@given(contents)
def test_honest_members_come_back_in_order_of_names(read, make, members):
    assert list(read(make(*members.items()), everything, LIMITS).items()) == sorted(members.items())


@both
def test_only_what_is_picked_is_read(read, make):
    blob = make(("a/x.txt", b"1"), ("a/y.txt", b"2"))
    assert read(blob, lambda name: name.endswith("y.txt"), LIMITS) == {"a/y.txt": b"2"}


def test_folders_are_allowed_and_not_read():
    folder = tar_member("a", tarfile.DIRTYPE)
    assert read_tar_gz(make_tar_gz((folder, b""), ("a/x", b"1")), everything, LIMITS) == {
        "a/x": b"1"
    }
    assert read_zip(make_zip(("a/", b""), ("a/x", b"1")), everything, LIMITS) == {"a/x": b"1"}


# Names


UNSAFE = [
    "../x",
    "a/../x",
    "a/..",
    "..",
    ".",
    "/x",
    "/",
    "//x",
    "a//x",
    "./x",
    "a\\..\\x",
    "\\\\host\\x",
    "C:/x",
    "C:x",
    "a\nx",
]


@both
@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_names_are_refused_even_if_not_asked_for(read, make, name):
    blob = make(("good", b"1"), (name, b"2"))
    with pytest.raises(ArchiveError, match="unsafe name"):
        read(blob, lambda picked: picked == "good", LIMITS)


@both
@given(
    st.lists(st.sampled_from(["..", "a", "b", ".", ""]), min_size=1, max_size=4).filter(
        lambda parts: not set(parts) <= {"a", "b"} and "".join(parts) != ""
    )
)
def test_no_path_with_an_odd_part_gets_through(read, make, parts):
    name = "/".join([*parts, "x"])
    with pytest.raises(ArchiveError, match="unsafe name"):
        read(make((name, b"1")), everything, LIMITS)


def test_a_zip_name_cut_by_a_nul_is_refused():
    blob = make_zip(("good.txt_hidden", b"1")).replace(b"good.txt_", b"good.txt\0")
    with pytest.raises(ArchiveError):
        read_zip(blob, everything, LIMITS)


@both
@pytest.mark.parametrize("second", ["a/x", "A/X"])
def test_duplicates_are_refused(read, make, second):
    with pytest.raises(ArchiveError, match="two members"):
        read(make(("a/x", b"1"), (second, b"2")), everything, LIMITS)


def test_a_file_in_the_place_of_a_folder_is_refused():
    with pytest.raises(ArchiveError, match="two members"):
        read_zip(make_zip(("a/", b""), ("a", b"1")), everything, LIMITS)


# Kinds


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.FIFOTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
    ],
)
@pytest.mark.parametrize("target", ["good", "/etc/hostname", "../../x"])
def test_links_and_special_files_in_tars_are_refused(kind, target):
    blob = make_tar_gz(("good", b"1"), (tar_member("link", kind, target), b""))
    with pytest.raises(ArchiveError, match="link or a special file"):
        read_tar_gz(blob, lambda name: name == "good", LIMITS)


def test_sparse_files_in_tars_are_refused():
    blob = make_tar_gz((tar_member("hole", tarfile.GNUTYPE_SPARSE), b""))
    with pytest.raises(ArchiveError):
        read_tar_gz(blob, everything, LIMITS)


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o020644, 0o140644])
def test_links_and_special_files_in_zips_are_refused(mode):
    blob = make_zip(("good", b"1"), (zip_member("link", mode), b"good"))
    with pytest.raises(ArchiveError, match="link or a special file"):
        read_zip(blob, lambda name: name == "good", LIMITS)


def test_encrypted_zip_members_are_refused():
    blob = bytearray(make_zip(("x", b"1")))
    blob[blob.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(ArchiveError, match="encrypted"):
        read_zip(bytes(blob), everything, LIMITS)


def test_unusual_compression_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("x", b"1" * 500)
    with pytest.raises(ArchiveError, match="unusual"):
        read_zip(buffer.getvalue(), everything, LIMITS)


# Sizes


@both
def test_a_member_over_its_limit_is_refused(read, make):
    assert read(make(("x", bytes(1_000))), everything, LIMITS)
    with pytest.raises(ArchiveError, match="more than 1000"):
        read(make(("x", bytes(1_001))), lambda name: False, LIMITS)


@both
def test_members_over_the_limit_together_are_refused(read, make):
    assert read(make(("x", bytes(1_000)), ("y", bytes(1_000))), everything, LIMITS)
    with pytest.raises(ArchiveError, match="more than 2000 bytes"):
        read(
            make(("x", bytes(1_000)), ("y", bytes(1_000)), ("z", b"1")), lambda name: False, LIMITS
        )


@both
def test_too_many_members_are_refused(read, make):
    members = [(f"{number}", b"") for number in range(9)]
    assert read(make(*members[:8]), everything, LIMITS)
    with pytest.raises(ArchiveError, match="more than 8 members"):
        read(make(*members), lambda name: False, LIMITS)


def peak_of_refusal(read, blob: bytes) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError):
            read(blob, everything, LIMITS)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@both
def test_a_bomb_is_refused_before_it_is_inflated(read, make):
    assert peak_of_refusal(read, make(("bomb", bytes(30_000_000)))) < 3_000_000


def test_a_zip_bomb_that_lies_about_its_size_is_not_inflated():
    blob = bytearray(make_zip(("bomb", bytes(30_000_000))))
    central = blob.index(b"PK\1\2")
    struct.pack_into("<L", blob, central + 24, 100)  # uncompressed size
    assert peak_of_refusal(read_zip, bytes(blob)) < 3_000_000


def test_a_zip_member_shorter_than_declared_is_refused():
    blob = bytearray(make_zip(("x", b"1" * 50)))
    struct.pack_into("<L", blob, blob.index(b"PK\1\2") + 24, 100)
    with pytest.raises(ArchiveError):
        read_zip(bytes(blob), everything, LIMITS)


def test_a_tar_bomb_in_an_extended_header_is_not_inflated():
    header = tar_member("x", tarfile.XHDTYPE)
    blob = make_tar_gz((header, bytes(30_000_000)), ("x", b"1"))
    assert peak_of_refusal(read_tar_gz, blob) < 3_000_000


def test_a_negative_size_in_a_tar_is_refused():
    info = tarfile.TarInfo("x")
    info.pax_headers = {"size": "-512"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    with pytest.raises(ArchiveError, match="-512 bytes"):
        read_tar_gz(buffer.getvalue(), everything, LIMITS)


# Broken archives


@pytest.mark.parametrize("read", [read_zip, read_tar_gz])
@given(st.binary(max_size=2_000))
def test_noise_is_an_archive_error(read, noise):
    with pytest.raises(ArchiveError):
        read(noise, everything, LIMITS)


@given(st.binary(min_size=1, max_size=2_000))
def test_noise_within_gzip_is_an_archive_error_or_empty(noise):
    with contextlib.suppress(ArchiveError):
        assert read_tar_gz(gzip.compress(noise), everything, LIMITS) == {}


ZIP = make_zip(("a/x.txt", b"some text" * 20), ("b", b"more"))
TAR = gzip.decompress(make_tar_gz(("a/x.txt", b"some text" * 20), ("b", b"more")))


@given(st.integers(0, len(ZIP) - 1), st.integers(0, 255))
def test_a_changed_byte_in_a_zip_gives_good_content_or_an_archive_error(position, value):
    blob = bytearray(ZIP)
    blob[position] = value
    try:
        found = read_zip(bytes(blob), everything, LIMITS)
    except ArchiveError:
        return
    assert set(found.values()) <= {b"some text" * 20, b"more", b""}


@given(st.integers(0, 2_000), st.integers(0, 255))
def test_a_changed_byte_in_a_tar_gives_members_within_limits_or_an_archive_error(position, value):
    blob = bytearray(TAR)
    blob[position] = value
    try:
        found = read_tar_gz(gzip.compress(bytes(blob)), everything, LIMITS)
    except ArchiveError:
        return
    assert sum(map(len, found.values())) <= LIMITS.total_bytes


def test_a_tar_that_ends_early_is_an_archive_error():
    whole = make_tar_gz(("x", b"1" * 900))
    with pytest.raises(ArchiveError, match="gzip"):
        read_tar_gz(whole[:-20], everything, LIMITS)
    with pytest.raises(ArchiveError, match="tar"):
        read_tar_gz(gzip.compress(gzip.decompress(whole)[:600]), everything, LIMITS)
