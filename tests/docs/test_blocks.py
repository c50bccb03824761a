"""Every code block of README and docs/ is executed, or says why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_blocks import ELSEWHERE, ROOT, WITH, Block, Shell, blocks, commands, misparsed, not_printed, pages, statuses

PAGES = pages()
RUN = [page for page in PAGES if any(block.what.startswith(("executed", "printed")) for block in blocks(page))]
ALL = [block for page in PAGES for block in blocks(page)]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def given(block: Block, folder: Path) -> None:
    """Files that a block is given."""
    for comment in block.comments:
        if found := WITH.fullmatch(comment):
            (example,) = [each for each in blocks(ROOT / found[2]) if each.language == "toml"][:1]
            (folder / found[1]).write_text(example.text, encoding="utf-8")


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_block_says_what_is_done_with_it(block: Block) -> None:
    what = block.what
    if what in ELSEWHERE:
        assert (ROOT / ELSEWHERE[what]).is_file()
    elif what.startswith("executed by "):
        path = ROOT / what.removeprefix("executed by ")
        assert block.page.name in path.read_text(encoding="utf-8"), f"{path} does not speak of {block.page.name}"
    elif what.startswith("same as "):
        there = [
            each for each in blocks(ROOT / what.removeprefix("same as ")) if each.what.startswith(("exec", "print"))
        ]
        executed = {line for each in there for line in each.text.splitlines()}
        assert set(block.text.splitlines()) <= executed
    elif what.startswith("parsed: "):
        refused = [told for words in commands(block.text) if (told := misparsed(words))]
        assert not refused
    else:
        assert what in ("executed", "printed") or what.startswith(("executed: ", "not executed: ")), (
            f"{block}: say in a comment before it what is done with it (tests/docs/doc_blocks.py)"
        )


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.parametrize("page", RUN, ids=name)
def test_the_blocks_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    shell, output = Shell(folder), ""
    for block in blocks(page):
        given(block, folder)
        if block.what == "printed":
            missing = not_printed(block.text, output)
            assert not missing, f"{block}: {missing!r} is not in\n{output}"
        elif block.what == "executed" or block.what.startswith("executed: status "):
            assert block.language == "sh", f"{block}: write what runs it as a block of sh"
            done = shell.run(block.text)
            output = done.stdout
            assert done.returncode in statuses(block.what), f"{block}: status {done.returncode}\n{output}"
        elif block.what.startswith("executed: "):
            path = folder / block.what.removeprefix("executed: ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


def test_what_is_not_printed_is_noticed() -> None:
    output = "first\n  aims at a, b\nlast"
    assert not_printed("first\n  aims at …\n", output) == ""
    assert not_printed("last\nfirst", output) == "first"
    assert not_printed("  aims", output) == "  aims"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("mqcheck show", "guarantee"),
        ("mqcheck shoe x", "no command"),
        ("mqcheck run --sed 7", "nobody knows"),
        ("mqcheck run --select nothing-like-it", "matches no guarantee"),
        ("pytest --mqcheck --mqcheck-seed x", "invalid int"),
        ("rm -r x", "none of our commands"),
    ],
)
def test_what_would_be_refused_is_noticed(line: str, told: str) -> None:
    ((words),) = commands(line + "  # a remark")
    assert told in misparsed(words)
