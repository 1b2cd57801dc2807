"""Reads the project's own source: its modules, and what each of them imports."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).parents[2]
OURS = ("agent", "coordinator")


def module_name(path: Path) -> str:
    """Return the dotted name of a source file below the project's root."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for top in OURS for path in sorted((ROOT / top).rglob("*.py"))}


def within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


def imports_in(tree: ast.AST) -> Iterator[str]:
    """Yield every module that is imported, submodules taken with `from` resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield whole if whole in MODULES else base


def relative_imports_in(tree: ast.AST) -> list[int]:
    """Return the lines of relative imports."""
    found = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return [node.lineno for node in found if node.level]


def late_imports_in(tree: ast.AST) -> list[int]:
    """Return the lines of imports inside functions."""
    functions = (
        n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    inner = (node for function in functions for node in ast.walk(function))
    return sorted({n.lineno for n in inner if isinstance(n, ast.Import | ast.ImportFrom)})


def early_imports_of(module: str) -> set[str]:
    """Return what is imported as soon as the module is: not what waits inside a function."""
    late = set(late_imports_in(parsed(module)))
    early = ast.Module([n for n in ast.walk(parsed(module)) if _is_import(n, late)], [])
    return set(imports_in(early))


def _is_import(node: ast.AST, but_not: set[int]) -> TypeGuard[ast.stmt]:
    return isinstance(node, ast.Import | ast.ImportFrom) and node.lineno not in but_not


def imports_of(module: str) -> set[str]:
    return set(imports_in(parsed(module)))


def parsed(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text("utf-8"))


def is_third_party(module: str) -> bool:
    top = module.split(".")[0]
    return top not in OURS and top not in sys.stdlib_module_names
