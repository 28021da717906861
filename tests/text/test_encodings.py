"""Decoding bytes, and the messages for those that are not UTF-8 text."""

import bz2
import gzip
import lzma

import pytest

from tui_gpt.text.encodings import NotTextError, decode_text


def refusal(data: bytes) -> str:
    """Return why `data` is not a text."""
    with pytest.raises(NotTextError) as caught:
        decode_text(data)
    assert "\n" not in str(caught.value)
    assert ": " in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("content", [b"a\nb\n", b"a\r\nb\r\n", b"a\rb\r", b"\xef\xbb\xbfa\r\nb\n"])
def test_byte_order_mark_and_line_ends_are_normalised(content: bytes) -> None:
    assert decode_text(content) == "a\nb\n"


def test_escapes_bidirectional_marks_and_a_few_nulls_are_kept() -> None:
    """They are escaped where they are displayed."""
    ugly = "plain text " * 50 + "\x1b[31mred\x1b[0m \u202eback\u202c [b]markup[/b] \0"
    assert decode_text(ugly.encode()) == ugly


def test_a_western_encoding_is_suggested_with_a_word_to_check_it_by() -> None:
    message = refusal(b"one\ntwo\ncaf\xe9\n")
    assert "line 3, byte 12 is 0xe9" in message
    assert "if 'café' is a word of it, convert it with `iconv -f WINDOWS-1252 -t UTF-8" in message


@pytest.mark.parametrize(
    ("sentence", "encoding", "named"),
    [
        ("汉字测试文本，今天天气很好。", "gb2312", "GB18030"),
        ("吾輩は猫である。名前はまだ無い。", "shift_jis", "CP932"),
        ("吾輩は猫である。名前はまだ無い。", "euc_jp", "EUC-JP"),
        ("안녕하세요. 오늘은 날씨가 좋습니다.", "euc_kr", "CP949"),
        ("今天天氣很好，我們去公園散步。", "big5", "BIG5"),
        ("Все счастливые семьи похожи друг на друга.", "cp1251", "WINDOWS-1251"),
        ("Все счастливые семьи похожи друг на друга.", "koi8_r", "KOI8-R"),
        ("Größe, Maß und süße Öle: ein Satz für jede Zeile.", "cp1252", "WINDOWS-1252"),
        ("Où est l’élève ? Il a été très déçu par « Noël ».", "cp1252", "WINDOWS-1252"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy.", "iso8859_2", "ENCODING"),
        ("Καλημέρα κόσμε, τι κάνεις σήμερα;", "cp1253", "ENCODING"),
    ],
)
def test_an_encoding_is_named_where_it_is_certain(sentence: str, encoding: str, named: str) -> None:
    """The suggested command restores the text; where the encoding is uncertain, the user has to name it."""
    data = f"{sentence}\n".encode(encoding) * 40
    assert f"`iconv -f {named} -t UTF-8 FILE > NEW_FILE`" in refusal(data)
    if named != "ENCODING":
        assert data.decode(named) == f"{sentence}\n" * 40


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_text_cut_off_in_its_last_character_is_called_cut_off(cut: int) -> None:
    data = ("Größe 🙂\n" * 9 + "🙂").encode()[:-cut]
    message = refusal(data)
    whole = len(("Größe 🙂\n" * 9).encode())
    assert "is cut off in the middle of its last character" in message
    assert f"`head -c {whole} FILE > NEW_FILE`" in message
    data[:whole].decode()


def test_a_lone_surrogate_is_called_a_lone_surrogate() -> None:
    message = refusal(b"lone \xed\xa0\x80 surrogate\n")
    assert "contains a lone surrogate, which is not a character (line 1, byte 6 is 0xed)" in message
    assert "`iconv -c -f UTF-8 -t UTF-8" in message


@pytest.mark.parametrize(
    ("data", "command"),
    [
        (gzip.compress(b"text", mtime=0), "gunzip"),
        (bz2.compress(b"text"), "bunzip2"),
        (lzma.compress(b"text"), "unxz"),
        (b"PK\x03\x04rest", "unzip"),
        (b"%PDF-1.7", "pdftotext"),
    ],
)
def test_a_compressed_file_is_refused_with_the_command_that_decompresses_it(data: bytes, command: str) -> None:
    assert f"e.g. `{command} " in refusal(data)


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16LE"), ("utf-16-be", "UTF-16BE"), ("utf-32", "UTF-32")],
)
def test_utf16_and_utf32_are_recognised(encoding: str, named: str) -> None:
    message = refusal(("To be, or not to be\n" * 9).encode(encoding))
    assert f"iconv -f {named} -t UTF-8" in message


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", bytes(range(32)) * 9, b"\0" * 100, b"abc\xff\0\x01"]
)
def test_binary_data_is_refused_as_binary(content: bytes) -> None:
    assert "is not a text" in refusal(content)
