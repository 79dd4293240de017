"""The page of the command line, from its parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from dense_reloc_ros.cli.main import parser
from tools.reference.markdown import code, page, table

INTRODUCTION = """\
`dense-reloc` is installed by `make build`, by colcon and by `pip install .`. Bad input ends a
command with one line on stderr and exit status 2; Ctrl-C gives exit status 130. The messages are
explained in [Every message](../guides/messages.md). `dense-reloc --verbose COMMAND` logs what is
done, `dense-reloc --quiet COMMAND` nothing but errors, and `dense-reloc --version` says which one
it is. On a terminal long work shows a bar, elsewhere a line every half minute.

`eval "$(register-python-argcomplete dense-reloc)"` in `~/.bashrc` or `~/.zshrc` lets the shell
complete commands and options.

`dense-reloc --threads N COMMAND` computes with N threads on the processor instead of one for each
core. `OMP_NUM_THREADS` in the environment wins. Threads that wait for each other sleep, so that a
busy machine does not slow them down by more than its share; `OMP_WAIT_POLICY=active` lets them
spin.
"""


def command_line_page() -> str:
    """All commands with their options."""
    sections = [section(name, command) for name, command in commands("dense-reloc", parser())]
    return page("Command line", INTRODUCTION, *sections)


def commands(
    name: str, command: argparse.ArgumentParser
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The commands that do something, depth first, with their full names."""
    inner = [a for a in command._actions if isinstance(a, argparse._SubParsersAction)]
    if not inner:
        yield name, command
    for action in inner:
        for word, subcommand in action.choices.items():
            yield from commands(f"{name} {word}", subcommand)


def section(name: str, command: argparse.ArgumentParser) -> str:
    """What a command does, and a table of its options."""
    options = [action for action in command._actions if action.dest != "help"]
    rows = [(signature(option), need(option, command), option.help or "") for option in options]
    parts = [f"## `{name}`", command.description or ""]
    if rows:
        parts.append(table(["option", "needed", "meaning"], rows))
    return "\n\n".join(parts)


def signature(option: argparse.Action) -> str:
    """The option as it is typed."""
    choices = "{" + ",".join(map(str, option.choices)) + "}" if option.choices else ""
    value = option.metavar or choices or option.dest.upper()
    if isinstance(value, tuple):
        value = " ".join(value)
    if option.nargs == 0:
        value = ""
    elif option.nargs == "+":
        value = f"{value} [{value} …]"
    return code(" ".join([*option.option_strings[-1:], value]).strip())


def need(option: argparse.Action, command: argparse.ArgumentParser) -> str:
    """Whether the option must be given."""
    for group in command._mutually_exclusive_groups:
        if option in group._group_actions:
            others = [o.option_strings[-1] for o in group._group_actions if o is not option]
            listed = ", ".join(map(code, others))
            return f"this or {listed}" if group.required else f"not with {listed}"
    is_positional = not option.option_strings and option.nargs not in ("?", "*")
    return "yes" if option.required or is_positional else ""
