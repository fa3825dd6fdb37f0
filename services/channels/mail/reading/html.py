"""HTML to plain text: what a person would read, without anything that runs, loads or hides.

Pure. Invariants: never raises; linear time (each tag's end is looked for once); the result is text, never markup.
"""

from __future__ import annotations

import html
import re

HTML_CHARS = 2_000_000
"""How much of an HTML body is read."""

_NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9:]{0,30})")
_ATTRIBUTE = re.compile(
    r"""\b(href|class|id|style|type)\s*=\s*(?:"([^"]{0,2000})"|'([^']{0,2000})'|([^\s"'>]{1,2000}))""", re.I
)
_SKIPPED = frozenset({"script", "style", "head", "title", "template", "svg", "object", "noscript", "xml"})
_BLOCK = re.compile(
    "address|article|aside|blockquote|body|center|dd|div|dl|dt|fieldset|figure|footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre"
    "|section|table|tbody|tfoot|thead|tr|ul"
)
_CELLS = frozenset({"td", "th"})
_QUOTES = re.compile(
    r"gmail_quote|yahoo_quoted|moz-cite|divRplyFwdMsg|OutlookMessageHeader|js-compose-signature-quote", re.I
)
_SPACE = re.compile(r"[ \t\r\n\f]+")
QUOTE_MARK = "\ue000"
"""Stands before quoted text while it is being cut (`services.channels.mail.reading.quoting`); never in a result."""


def text_of_html(source: str) -> str:
    """The text of an HTML body. Quoted history begins with `QUOTE_MARK` on a line of its own."""
    source = source[:HTML_CHARS].replace(QUOTE_MARK, "")
    out: list[str] = []
    skipping: str | None = None
    preformatted, href = 0, ""
    at, size, no_more_ends = 0, len(source), False
    while at < size:
        begin = source.find("<", at)
        if begin < 0:
            begin = size
        if begin > at and skipping is None:
            shown = html.unescape(source[at:begin])
            out.append(shown if preformatted else _SPACE.sub(" ", shown.replace("\xa0", " ")))
        if begin == size:
            break
        if source.startswith("<!--", begin):
            end = source.find("-->", begin + 4)
            if end < 0:
                break  # a comment without an end hides the rest, in browsers too
            at = end + 3
            continue
        named = _NAME.match(source, begin + 1)
        if named is None and not source.startswith(("<!", "<?"), begin):
            if skipping is None:
                out.append("<")
            at = begin + 1
            continue
        end = -1 if no_more_ends else source.find(">", begin)
        if end < 0:
            no_more_ends = True
            break
        at = end + 1
        if named is None:
            continue
        tag, closing = named[1].lower(), source[begin + 1] == "/"
        if skipping is not None:
            skipping = None if closing and tag == skipping else skipping
            continue
        if tag in _SKIPPED:
            if not closing and source[end - 1] != "/":
                skipping = tag
            continue
        given = {} if closing else _attributes(source[begin:end])
        if tag == "pre":
            preformatted = max(0, preformatted + (-1 if closing else 1))
        if tag == "br":
            out.append("\n")
        elif tag in _CELLS:
            out.append("" if closing else " ")
        elif _BLOCK.fullmatch(tag):
            out.append("\n")
            if tag == "li" and not closing:
                out.append("- ")
            elif tag in ("p", "blockquote") and not closing:
                out.append("\n")
        if not closing and _begins_quote(tag, given):
            out.append(f"\n{QUOTE_MARK}\n")
        if tag == "a":
            if closing:
                out.append(_link(href, out))
                href = ""
            else:
                href = given.get("href", "")
                out.append("")
    return _tidy("".join(out))


def _attributes(tag: str) -> dict[str, str]:
    return {
        found[1].lower(): html.unescape(found[2] or found[3] or found[4] or "")
        for found in _ATTRIBUTE.finditer(tag[:4_000])
    }


def _begins_quote(tag: str, given: dict[str, str]) -> bool:
    if tag == "blockquote":
        return given.get("type", "").lower() == "cite" or _QUOTES.search(given.get("class", "")) is not None
    return _QUOTES.search(given.get("class", "") + " " + given.get("id", "")) is not None


def _link(href: str, out: list[str]) -> str:
    """Where a link goes, unless its text says so already."""
    if not href.lower().startswith(("http://", "https://", "tel:")):
        return ""
    shown = next((piece for piece in reversed(out[-4:]) if piece.strip()), "")
    bare = href.partition(":")[2].strip("/")
    return "" if bare in shown or shown.strip() in href else f" ({href})"


def _tidy(text: str) -> str:
    lines = [line.strip(" \t") for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
