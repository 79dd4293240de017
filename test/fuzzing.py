"""Content that is nearly right, for parsers that must refuse it in one line or read it."""

from __future__ import annotations

from hypothesis import strategies as st

PIECES = (b"", b"\x00", b"\xff\xfe", b"nan", b"-inf", b"1e999", b"[", b"{", b": ", b"\n", b"9" * 30)


@st.composite
def mangled(draw: st.DrawFn, good: str | bytes) -> bytes:
    """Good content with some stretches of it lost or replaced."""
    content = good.encode() if isinstance(good, str) else good
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(content)))
        end = draw(st.integers(begin, min(len(content), begin + 40)))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=12)))
        content = content[:begin] + piece + content[end:]
    return content
