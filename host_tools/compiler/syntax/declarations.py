"""Declarations: data types, program organisation units, configurations.

IEC 61131-3:2013, 6.4.4 (TYPE), 6.6 (POUs), 6.8 (CONFIGURATION, RESOURCE, TASK).
"""

from __future__ import annotations

from host_tools.compiler.lexer import VAR_KEYWORDS, Token
from host_tools.compiler.syntax.access_paths import access_block
from host_tools.compiler.syntax.cursor import FIRM, UNIT_KEYWORDS, Cursor
from host_tools.compiler.syntax.expressions import (
    arguments,
    bare_array,
    equals_for_assignment,
    initial_value,
)
from host_tools.compiler.syntax.members import (
    heritage,
    lacks_name,
    method,
    modifiers,
    opened,
    property_,
)
from host_tools.compiler.syntax.namespaces import internal, using_in_pou
from host_tools.compiler.syntax.sfc import (
    CHART_WORDS,
    WORDS,
    Parts,
    chart_part,
    finished,
    is_cut_open,
)
from host_tools.compiler.syntax.simple_statements import at_declaration, misplaced_variables
from host_tools.compiler.syntax.statements import PARTS, at_part, statements_or_stray, stray
from host_tools.compiler.syntax.test_blocks import TEST_WORDS, misplaced_test
from host_tools.compiler.syntax.type_specs import type_name, type_spec, var_block
from host_tools.compiler.tree import (
    AccessDecl,
    Argument,
    Configuration,
    Expr,
    GlobalVars,
    Identifier,
    NamedType,
    Pou,
    ProgramDecl,
    Property,
    Resource,
    Statement,
    StructSpec,
    TaskDecl,
    TypeDecl,
    TypeSpec,
    VarBlock,
)
from host_tools.record import replace

# ENDs that end a POU, even if they are not the right one.
_POU_ENDS = frozenset(
    {
        "END_FUNCTION",
        "END_FUNCTION_BLOCK",
        "END_PROGRAM",
        "END_CONFIGURATION",
        "END_CLASS",
        "END_NAMESPACE",
    }
)


# --- TYPE ------------------------------------------------------------------------------------


def type_block(c: Cursor, *, implied: bool = False) -> list[TypeDecl]:
    """TYPE ... END_TYPE. Pragmas before TYPE belong to every type of the block. TYPE is `implied`
    where it was forgotten and that was reported."""
    pragmas = () if implied else c.pragmas.get(c.index, ())
    opening = Token("TYPE", "TYPE", c.tok.start, c.tok.start) if implied else c.advance()
    is_internal = internal(c)
    c.open.append("END_TYPE")
    found: list[TypeDecl] = []
    while True:
        c.anchor = c.tok.start
        kind = c.tok.kind
        if kind == ";":
            c.advance()
        elif kind in ("END_STRUCT", "END_UNION"):
            stray(c)
        elif _at_end_of_types(c):
            break
        else:
            index = c.index
            decl = _type_decl(c, pragmas)
            if decl is not None:
                found.append(decl)
            if c.index == index:
                c.advance()
    c.open.pop()
    c.close(opening, "END_TYPE")
    c.accept(";")
    if is_internal:
        c.internal_names.update(decl.name for decl in found)
    return found


def _at_end_of_types(c: Cursor) -> bool:
    if c.at_word("INTERFACE", "CLASS") and c.peek().kind == "name":
        return True  # the END_TYPE is missing
    return (c.tok.kind in FIRM and c.peek().kind != ":") or c.respell_end()


def _type_decl(c: Cursor, pragmas: tuple[str, ...]) -> TypeDecl | None:
    start = c.tok.start
    pragmas += c.pragmas.get(c.index, ())
    name = c.name("the name of a type")
    if name is None:
        c.semicolon("the type")
        return None
    extends = heritage(c, "EXTENDS")
    c.symbol(":", "after the name of the type")
    spec = type_spec(c)
    if extends:
        spec = _derived(c, spec, extends)
    init: Expr | None = None
    if c.tok.kind == "=" and not c.broken:
        equals_for_assignment(c)
        c.tok.kind = ":="
    if c.accept(":="):
        init = bare_array(c, initial_value(c))
    decl = TypeDecl(c.span(start), name, spec, init, pragmas)
    if isinstance(spec, StructSpec) and init is None and not c.broken:
        c.accept(";")
    else:
        c.semicolon("the type")
    return decl


def _derived(c: Cursor, spec: TypeSpec, extends: tuple[NamedType, ...]) -> TypeSpec:
    """`TYPE a EXTENDS b : STRUCT` (CODESYS)."""
    if isinstance(spec, StructSpec) and not spec.overlap and len(extends) == 1:
        return replace(spec, extends=extends[0])
    c.error(
        "E0301",
        "a type extends one structure, and is a STRUCT itself",
        extends[-1].span,
        help="write TYPE name EXTENDS base : STRUCT … END_STRUCT",
    )
    c.broken = False
    return spec


# --- POUs ------------------------------------------------------------------------------------


def pou(c: Cursor) -> Pou | None:
    """A FUNCTION, FUNCTION_BLOCK, CLASS or PROGRAM; None where it has no name."""
    pragmas = c.pragmas.get(c.index, ())
    is_class = c.tok.kind == "name"
    opening = opened(c, "CLASS") if is_class else c.advance()
    kind = opening.kind
    end = f"END_{kind}"
    told: set[str] = set()
    parts = Parts()
    internal(c)
    words = modifiers(c)
    methods: list[Pou] = []
    properties: list[Property] = []
    specified = bool(words) or c.at_word("ABSTRACT", "FINAL")
    name = None if specified and lacks_name(c, kind) else _name_of_pou(c, kind)
    result: TypeSpec | None = None
    if kind == "FUNCTION" and _at_bare_type(c):
        c.symbol(":", "before the type of the result")
        result = type_spec(c)
    elif c.tok.kind == ":":
        if kind != "FUNCTION":
            c.error("E0100", f"a {kind} has no type", help="only a FUNCTION returns a value")
        c.advance()
        result = type_spec(c)
    extends = heritage(c, "EXTENDS")
    implements = heritage(c, "IMPLEMENTS")
    extends += heritage(c, "EXTENDS")
    if c.broken:
        c.skip_line()
    c.accept(";")
    c.broken = False
    c.open.append(end)
    blocks: list[VarBlock] = []
    accesses: list[AccessDecl] = []
    body: list[Statement] = []
    while True:
        c.anchor = c.tok.start
        found = c.tok.kind
        if found == "VAR_ACCESS" and kind == "PROGRAM" and not body:
            accesses += access_block(c)
        elif found in VAR_KEYWORDS:
            if found == "VAR_GLOBAL" and body:
                break
            block = _block_of_pou(c, kind, bool(body or parts.steps or parts.actions))
            if block is not None:
                blocks.append(block)
        elif found in UNIT_KEYWORDS or found in _POU_ENDS or found == "eof":
            break
        elif found == "name" and at_part(c) and c.at_word(*TEST_WORDS):
            misplaced_test(c, kind)
        elif found == "name" and at_part(c):
            word = c.tok.text.upper()
            if word in ("CLASS", "INTERFACE", "NAMESPACE"):
                break
            if c.at_word(*WORDS):
                chart_part(c, parts)
            elif word == "METHOD" and kind != "FUNCTION":
                methods.append(method(c))
            elif word == "PROPERTY" and kind != "FUNCTION":
                properties.append(property_(c))
            else:
                unsupported_part(c, told)
        elif found == "name" and c.next_firm() == "END_VAR" and at_declaration(c):
            blocks += misplaced_variables(c)
        elif c.at_word("USING") and c.peek().kind == "name":
            using_in_pou(c)
        else:
            body += statements_or_stray(c)
    c.open.pop()
    c.close(opening, end)
    span = c.span(opening.start)
    c.accept(";")
    if name is None:
        return None
    if kind != "FUNCTION":
        result = None
    made = Pou(
        span,
        "FUNCTION_BLOCK" if is_class else kind,
        name,
        result,
        tuple(blocks),
        tuple(body),
        pragmas,
        words,
        extends,
        implements,
        tuple(methods),
        tuple(properties),
        is_class,
        accesses=tuple(accesses),
    )
    return finished(c, made, parts) if parts.found() else made


def _name_of_pou(c: Cursor, kind: str) -> Identifier | None:
    if c.tok.kind == "name" and c.peek().kind in (":=", "(", "[", ".", "^"):
        c.error(
            "E0115",
            f"expected the name of a {kind}",
            c.before(),
            label="add a name here",
            help=f"every {kind} has a name",
        )
        return None
    return c.name(f"the name of a {kind}")


def _at_bare_type(c: Cursor) -> bool:
    """`FUNCTION f INT` without ':'"""
    if c.tok.kind != "name" or c.on_new_line() or at_part(c):
        return False
    is_word = c.at_word("EXTENDS", "IMPLEMENTS", "USING")
    return not is_word and c.peek().kind not in (":=", "(", "[", ".", "^")


def _block_of_pou(c: Cursor, kind: str, late: bool) -> VarBlock | None:
    found = c.tok.kind
    of_program = kind == "PROGRAM" and found == "VAR_GLOBAL"
    if found in ("VAR_GLOBAL", "VAR_CONFIG", "VAR_ACCESS") and not of_program:
        c.error(
            "E0119",
            f"{found} cannot stand inside a {kind}",
            help=f"move it before the {kind}"
            if found == "VAR_GLOBAL"
            else "move it into the CONFIGURATION",
        )
    elif late:
        c.error(
            "E0119",
            f"{found} after the statements of the {kind}",
            help="move the declarations before the first statement",
        )
    c.broken = False
    block = var_block(c)
    if of_program:
        return block
    return None if found in ("VAR_GLOBAL", "VAR_CONFIG", "VAR_ACCESS") else block


# --- what stands in the wrong place ----------------------------------------------------------


def unsupported_part(c: Cursor, told: set[str]) -> None:
    """Report the METHOD, STEP or the like at hand, each kind once for a POU, and step over it."""
    word = c.tok.text.upper()
    if word not in told:
        told.add(word)
        if word in ("METHOD", "PROPERTY"):
            c.error(
                "E0302",
                f"{word} outside of a FUNCTION_BLOCK, CLASS, INTERFACE or PROGRAM",
                help="move it before the END_FUNCTION_BLOCK it belongs to",
            )
        elif word in CHART_WORDS and (is_cut_open(c) or told & {*CHART_WORDS} - {word}):
            pass  # what the first one was told about
        elif word in CHART_WORDS:
            c.error(
                "E0376",
                f"{word} outside of a PROGRAM or FUNCTION_BLOCK",
                help="move it before the END_PROGRAM it belongs to",
            )
        else:
            c.error("E0117", f"expected a declaration, found '{c.tok.text}'", help="add its name")
    end = PARTS[word]
    depth = 0
    while c.tok.kind != "eof":
        if c.tok.kind == "name" and c.tok.text.upper() == word and c.peek().kind == "name":
            depth += word == "NAMESPACE" or depth == 0
        elif c.tok.kind in c.open:
            break
        if c.advance().kind == end:
            depth -= 1
            if depth <= 0:
                break
    c.accept(";")
    c.broken = False


# --- CONFIGURATION ---------------------------------------------------------------------------


def global_vars(c: Cursor, *, implied: bool = False) -> GlobalVars:
    """VAR_GLOBAL at the top of a source; `implied` where the word was forgotten."""
    pragmas = c.pragmas.get(c.index, ())
    block = var_block(c, "VAR_GLOBAL" if implied else None)
    return GlobalVars(block.span, block, pragmas)


def configuration(c: Cursor) -> Configuration | None:
    """CONFIGURATION ... END_CONFIGURATION; tasks and programs outside of a RESOURCE are put into
    one without a name."""
    opening = c.advance()
    name: Identifier | None = None
    if c.at_word("RESOURCE", "TASK") and c.peek().kind == "name":
        c.error(
            "E0115",
            "expected the name of a CONFIGURATION",
            c.before(),
            label="add a name here",
            help="every CONFIGURATION has a name",
        )
        c.broken = False
    else:
        name = c.name("the name of a CONFIGURATION")
    if c.broken:
        c.skip_line()
        c.broken = False
    c.open.append("END_CONFIGURATION")
    globals_: list[VarBlock] = []
    resources: list[Resource] = []
    tasks: list[TaskDecl] = []
    programs: list[ProgramDecl] = []
    accesses: list[AccessDecl] = []
    while _member(c, globals_, tasks, programs, accesses):
        if c.at_word("RESOURCE"):
            resources.append(_resource(c, accesses))
    c.open.pop()
    c.close(opening, "END_CONFIGURATION")
    span = c.span(opening.start)
    c.accept(";")
    if tasks or programs:
        resources.append(Resource(span, None, None, (), tuple(tasks), tuple(programs)))
    if name is None:
        return None
    return Configuration(span, name, tuple(globals_), tuple(resources), tuple(accesses))


def _resource(c: Cursor, accesses: list[AccessDecl]) -> Resource:
    opening = c.advance()
    name = c.name("the name of a RESOURCE")
    target: Identifier | None = None
    if c.at_word("ON"):
        c.advance()
        target = c.name("the name of a processor after ON")
    if c.broken:
        c.skip_line()
        c.broken = False
    c.open.append("END_RESOURCE")
    globals_: list[VarBlock] = []
    tasks: list[TaskDecl] = []
    programs: list[ProgramDecl] = []
    while _member(c, globals_, tasks, programs, accesses):
        if c.at_word("RESOURCE"):
            break
    c.open.pop()
    opening.kind = "RESOURCE"
    c.close(opening, "END_RESOURCE")
    span = c.span(opening.start)
    c.accept(";")
    return Resource(span, name, target, tuple(globals_), tuple(tasks), tuple(programs))


def _member(
    c: Cursor,
    globals_: list[VarBlock],
    tasks: list[TaskDecl],
    programs: list[ProgramDecl],
    accesses: list[AccessDecl],
) -> bool:
    """Parse one member of a CONFIGURATION or RESOURCE; False where none begins. A RESOURCE is
    left to the caller."""
    c.anchor = c.tok.start
    kind = c.tok.kind
    if kind == ";":
        c.advance()
    elif kind == "VAR_ACCESS":
        accesses += access_block(c)
    elif kind in VAR_KEYWORDS:
        if kind not in ("VAR_GLOBAL", "VAR_CONFIG"):
            c.error(
                "E0119",
                f"{c.tok.text.upper()} cannot stand in a CONFIGURATION",
                help="variables of a configuration are declared in VAR_GLOBAL",
            )
            c.broken = False
            var_block(c)
        else:
            globals_.append(var_block(c))
    elif c.at_word("TASK"):
        task = _task(c)
        if task is not None:
            tasks.append(task)
    elif kind == "PROGRAM" and at_program_decl(c):
        program = _program(c)
        if program is not None:
            programs.append(program)
    elif c.at_word("RESOURCE"):
        return True
    elif kind == "END_RESOURCE" and kind not in c.open and c.forgive():
        pass
    elif kind in FIRM:
        return False
    elif not c.respell_end() and not c.respell(("PROGRAM", "VAR_GLOBAL", "VAR_CONFIG")):
        c.error(
            "E0100",
            f"expected RESOURCE, TASK, PROGRAM or VAR_GLOBAL, found {c.found()}",
            help="a CONFIGURATION declares tasks and the programs that run in them",
        )
        c.advance()
        c.skip()
        c.broken = False
    return True


def _task(c: Cursor) -> TaskDecl | None:
    start = c.advance().start
    name = c.name("the name of a TASK")
    parameters: tuple[Argument, ...] = ()
    opening = c.tok
    if c.symbol("(", "after the name of the task"):
        parameters = arguments(c, opening)
    span = c.span(start)
    c.semicolon("the task")
    return TaskDecl(span, name, parameters) if name is not None else None


def at_program_decl(c: Cursor) -> bool:
    """`PROGRAM main WITH task : type` or `PROGRAM main : type`, and not the beginning of a POU."""
    for token in c.tokens[c.index + 1 : c.index + 5]:
        if token.kind == ":" or token.text.upper() == "WITH":
            return True
        if token.kind != "name":
            return False
    return False


def _program(c: Cursor) -> ProgramDecl | None:
    start = c.advance().start
    retain = False
    if c.at_word("RETAIN", "NON_RETAIN") and c.peek().kind == "name":
        retain = c.advance().text.upper() == "RETAIN"
    name = c.name("the name of a program") if not c.at_word("WITH") else None
    if c.at_word("WITH") and name is None:
        c.error("E0115", f"expected the name of a program, found {c.found()}")
    task: Identifier | None = None
    if c.at_word("WITH"):
        c.advance()
        task = c.name("the name of a task after WITH")
    c.symbol(":", "before the type of the program")
    spec = type_name(c)
    parameters: tuple[Argument, ...] = ()
    opening = c.accept("(")
    if opening is not None:
        parameters = arguments(c, opening, with_tasks=True)
    span = c.span(start)
    c.semicolon("the program")
    if name is None:
        return None
    return ProgramDecl(span, name, task, spec, parameters, retain)
