"""One contract for every dialect: the same circuit, in statements of that simulator's grammar.

Only ngspice is run. The others are held to what their manuals allow: a pattern for each statement.
"""

import re
from typing import ClassVar

import numpy as np
import pytest

import aimc
from aimc import Crossbar, Wires, spice
from aimc.errors import SpiceError
from aimc.parts.ivcurve import Tabulated
from aimc.parts.transistor import SeriesTransistor, Transistor
from aimc.spice import library

MODELS = spice.models()
MEASURED = Tabulated((-0.4, -0.25, -0.125, 0.05, 0.1, 0.2), (-9.0, -4.0, -1.5, 0.5, 1.5, 2.5))
COMPOSED = Transistor(SeriesTransistor(MEASURED, 1e3), 1e-3, 1.2, 0.4)
SINH = spice.CellModel("cell_sinh", lambda g, i, j: {"g": g, "a": 2.0})
NAME = r"[a-z_]\w*"
NODE = r"\w+"
NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
PATH = r"(?:[\w.-]+/)*[\w.-]+"


def joined(text, comment):
    """Statements of a file, continuation lines joined, comments left out."""
    statements = []
    for line in text.splitlines():
        if line.startswith("+"):
            statements[-1] += " " + line[1:].strip()
        elif line.strip() and not line.startswith(comment):
            statements.append(line)
    return statements


class DialectContract:
    """What every dialect must hold; a dialect gives its name, and a pattern for each statement."""

    name: str
    comment = "*"
    suffix = ".lib"
    expression: str
    statements: ClassVar[dict[str, str]]
    analyses: tuple[str, ...]

    @pytest.fixture(scope="class")
    @classmethod
    def macro(cls):
        rng = np.random.default_rng(3)
        hardware = aimc.load("taox-1t1r-128").replace(rows=6, cols=4)
        return hardware.program(rng.normal(size=(6, 4)), rng, ("sigmoid", "tanh"))

    @pytest.fixture(scope="class")
    @classmethod
    def decks(cls, macro):
        x = np.random.default_rng(4).uniform(-1, 1, (2, 6))
        crossbar = Crossbar(macro.crossbar.g, Wires(1.0, 0.0, 2.0, 3.0, "both", "top"))
        return {
            "conversion": spice.netlist(macro, x, dialect=cls.name, seed=3),
            "amplifiers": spice.netlist(macro, x, dialect=cls.name, gain=1e6, delay=1e-10),
            "one": spice.netlist(crossbar, x[0], dialect=cls.name),
            "many": spice.netlist(crossbar, x, dialect=cls.name),
            "nonlinear": spice.netlist(crossbar, x[0], dialect=cls.name, cell=SINH),
            "floating": spice.netlist(
                Crossbar(crossbar.g, Wires(1.0, idle="floating")), x, dialect=cls.name
            ),
            "composed": spice.netlist(
                Crossbar(crossbar.g, Wires(1.0, idle="gated"), iv=COMPOSED), x, dialect=cls.name
            ),
        }

    @pytest.fixture(scope="class")
    @classmethod
    def texts(cls, decks):
        texts = {name: deck.text for name, deck in decks.items()}
        texts |= {f"{n} measure": d.measure("a.cir") for n, d in decks.items() if d.measures}
        texts |= {m: spice.model(m, cls.name) for m in MODELS}
        return texts

    def match(self, statement):
        filled = {k: self.fill(v) for k, v in self.statements.items()}
        return [k for k, pattern in filled.items() if re.fullmatch(pattern, statement)]

    def fill(self, pattern):
        value = f"(?:{NUMBER}|{self.expression})"
        for key, text in (("NODE", NODE), ("NUMBER", NUMBER), ("NAME", NAME), ("PATH", PATH),
                          ("VALUE", value), ("SETTINGS", rf"(?: {NAME}={value})*")):  # fmt: skip
            pattern = pattern.replace(f"<{key}>", text)
        return pattern

    def test_every_statement_is_of_the_grammar(self, texts):
        for name, text in texts.items():
            for statement in joined(text, self.comment):
                kinds = self.match(statement)
                assert len(kinds) == 1, (name, statement, kinds)

    def test_brackets_and_quotes_close(self, texts):
        for text in texts.values():
            for statement in joined(text, self.comment):
                for left, right in ("()", "{}", "[]"):
                    assert statement.count(left) == statement.count(right), statement
                assert statement.count("'") % 2 == 0
                assert statement.count('"') % 2 == 0

    def test_lines_are_short_and_lower_case(self, texts):
        for text in texts.values():
            for line in text.splitlines():
                assert len(line) < 100 or line.startswith(self.comment), line
                assert line == line.lower() or line.startswith(self.comment)

    def test_every_number_of_the_macro_is_in_it_to_the_last_bit(self, decks, macro):
        text = decks["conversion"].text
        values = [macro.c_array, *macro.crossbar.g.ravel()]
        for _, ramp in macro.ramps:
            values += [ramp.c_fb, *ramp.g_steps, *np.abs(ramp.g_bias), *ramp.offset]
        for value in values:
            assert value == 0 or f"={float(value)!r}" in text

    def test_every_instance_has_the_nodes_of_its_subcircuit(self, decks):
        for deck in decks.values():
            texts = [deck.text, *dict(deck.includes).values()]
            found = [s for text in texts for s in joined(text, self.comment)]
            ports = dict(p for p in map(self.definition, found) if p)
            uses = [u for u in map(self.use, found) if u]
            assert uses
            for subckt, count in uses:
                assert ports[subckt] == count

    def definition(self, statement):
        match = re.match(r"\.subckt (\w+)((?: \w+(?![\w=:]))+)", statement)
        return (match[1], len(match[2].split())) if match else None

    def use(self, statement):
        words = [w for w in statement.split() if "=" not in w]
        return (words[-1], len(words) - 2) if statement.startswith("x") else None

    def test_the_circuit_is_that_of_ngspice(self, decks, macro):
        """The same names in the same order between the same nodes."""
        x = np.random.default_rng(4).uniform(-1, 1, (2, 6))
        theirs = joined(spice.netlist(macro, x, seed=3).text, "*")
        ours = joined(decks["conversion"].text, self.comment)
        names = [re.match(r"[rvxf]\w+", s) for s in ours]
        wanted = [re.match(r"[rvxf]\w+", s) for s in theirs]
        assert [n[0] for n in names if n] == [n[0] for n in wanted if n]
        for mine, other in zip([s for s in ours if s.startswith("x")],
                               [s for s in theirs if s.startswith("x")], strict=True):  # fmt: skip
            plain = [w for w in mine.split() if w not in "()" and "=" not in w]
            assert plain == [w for w in other.split() if "=" not in w]

    def test_what_is_saved_is_sorted_and_is_all(self, decks):
        for name, deck in decks.items():
            (saved,) = [s for s in joined(deck.text, self.comment) if self.match(s) == ["save"]]
            kept = saved.split()[self.before_the_first_vector(saved) :]
            assert kept == sorted(set(kept))
            crossbar = 2 * 6 * 8 if name in ("one", "many", "nonlinear") else 0
            assert len(kept) > 20
            assert not crossbar or len(kept) <= crossbar + 8

    def before_the_first_vector(self, saved) -> int:
        return 1

    def test_the_analysis_is_there_once(self, decks):
        for pattern in self.analyses:
            found = sum(
                bool(re.fullmatch(self.fill(pattern), s))
                for deck in decks.values()
                for s in joined(deck.text, self.comment)
            )
            assert found >= 1, pattern

    def test_the_header_says_what_was_not_run(self, decks):
        line = decks["one"].text.splitlines()[1]
        assert f"written for {self.name}" in line
        assert ("not run" in line) == (self.name != "ngspice")

    def test_files_have_the_suffix_of_the_dialect(self, decks, tmp_path):
        files = decks["conversion"].write(tmp_path / "a.cir")
        models = [file for file in files if file.parent.name == "models"]
        assert models
        assert all(file.suffix == self.suffix for file in models)
        assert all(f"models/{file.name}" in decks["conversion"].text for file in models)


SPICE = {
    "include": r'\.include "<PATH>"',
    "param": r"\.param <NAME>=(?:<VALUE>|table\(input(?:, <NUMBER>)+\))",
    "ends": r"\.ends <NAME>",
    "resistor": r"r<NODE> <NODE> <NODE> <VALUE>",
    "capacitor": r"c<NODE> <NODE> <NODE> <VALUE>",
    "voltage": r"v<NODE> <NODE> <NODE> dc <VALUE>"
               r"(?: pulse\(<NUMBER>(?: <NUMBER>){6}\)| pwl\(<NUMBER>(?: <NUMBER>)+\))?",
    "mirror": r"f<NODE> <NODE> <NODE> v<NODE> <NUMBER>",
    "instance": r"x<NODE>(?: <NODE>){3,} ?<SETTINGS>",
    "controlled": r"[eg]<NODE> <NODE> <NODE> <NODE> <NODE> <VALUE>",
    "initial": r"\.ic v\(<NODE>\)=<VALUE>",
    "end": r"\.end",
    "measure": r"\.measure tran <NAME> find v\([\w.:]+\) at=<NUMBER>",
    "tran": r"\.tran <NUMBER> <NUMBER> 0 <NUMBER>",
}  # fmt: skip
FUNCTIONS = {"v", "pow", "max", "min", "abs", "exp", "sinh", "tanh"}


class TestNgspice(DialectContract):
    name = "ngspice"
    expression = r"\{[^{}]+\}"
    statements: ClassVar = SPICE | {
        "subckt": r"\.subckt <NAME>(?: <NODE>)+<SETTINGS>",
        "behaviour": r"b<NODE> <NODE> <NODE> [iv] ?= ?[^=]+",
        "switch": r"s<NODE> <NODE> <NODE> <NODE> <NODE> <NAME>",
        "model": r"\.model <NAME> sw\(vt=0.5 vh=0 ron=<VALUE> roff=<VALUE>\)",
        "save": r"\.save(?: [vi]\([\w.]+\))+",
        "options": r"\.options(?: \w+=\w[\w.-]*)+",
        "op": r"\.op",
        "control": r"\.control|\.endc|set \w+(?:=\w+)?|alter v\w+ dc = <NUMBER>|op|write [\w.]+"
                   r"|destroy|quit",
    }  # fmt: skip
    analyses = (r"\.tran .*", r"\.op", "op")


class TestLTspice(DialectContract):
    name = "ltspice"
    expression = r"\{[^{}]+\}"
    statements: ClassVar = SPICE | {
        "subckt": r"\.subckt <NAME>(?: <NODE>)+<SETTINGS>",
        "behaviour": r"b<NODE> <NODE> <NODE> [iv]=[^=]+",
        "switch": r"s<NODE> <NODE> <NODE> <NODE> <NODE> <NAME>",
        "model": r"\.model <NAME> sw\(vt=0.5 vh=0 ron=<VALUE> roff=<VALUE>\)",
        "save": r"\.save(?: [vi]\([\w:]+\))+",
        "options": r"\.options(?: \w+=\w[\w.-]*)+",
        "op": r"\.op",
        "step": r"\.step param input 0 \d+ 1",
        "tran": r"\.tran 0 <NUMBER> 0 <NUMBER>",
    }
    analyses = (r"\.tran .*", r"\.op", r"\.step .*")


class TestXyce(DialectContract):
    name = "xyce"
    expression = r"\{[^{}]+\}"
    statements: ClassVar = SPICE | {
        "subckt": r"\.subckt <NAME>(?: <NODE>)+(?: params:<SETTINGS>)?",
        "capacitor": r"c<NODE> <NODE> <NODE> <VALUE>(?: ic=<VALUE>)?",
        "behaviour": r"b<NODE> <NODE> <NODE> [iv]=\{[^{}=]+\}",
        "switch": r"s<NODE> <NODE> <NODE> <NODE> <NODE> <NAME>",
        "model": r"\.model <NAME> vswitch \(voff=0.499 von=0.501 ron=<VALUE> roff=<VALUE>\)",
        "save": r"\.print (?:dc|tran) format=raw(?: [vi]\([\w:]+\))+",
        "options": r"\.options (?:timeint|nonlin)(?: \w+=\w[\w.-]*)+",
        "dc": r"\.dc (?:data=inputs|v\w+ <NUMBER> <NUMBER> 1.0)",
        "data": r"\.data inputs(?: v\w+_dc)+(?: <NUMBER>)+|\.enddata",
    }
    analyses = (r"\.tran .*", r"\.dc v.*", r"\.dc data=inputs")

    def before_the_first_vector(self, saved) -> int:
        return 3


class TestHSPICE(DialectContract):
    name = "hspice"
    expression = r"'[^']+'"
    statements: ClassVar = SPICE | {
        "include": r"\.include '<PATH>'",
        "subckt": r"\.subckt <NAME>(?: <NODE>)+<SETTINGS>",
        "controlled": r"e<NODE> <NODE> <NODE> vcvs <NODE> <NODE> <VALUE>"
                      r"|g<NODE> <NODE> <NODE> vccs <NODE> <NODE> <VALUE>",
        "behaviour": r"gb<NODE> <NODE> <NODE> cur='[^'=]+'|eb<NODE> <NODE> <NODE> vol='[^'=]+'",
        "switch": r"gs<NODE> <NODE> <NODE> vcr pwl\(1\) <NODE> 0 0.499,<VALUE> 0.501,<VALUE>",
        "save": r"\.probe (?:dc|tran)(?: [vi]\([\w.]+\))+",
        "options": r"\.option(?: \w+=\w[\w.-]*)+",
        "op": r"\.op",
        "dc": r"\.dc (?:data=inputs|v\w+ <NUMBER> <NUMBER> 1.0)",
        "data": r"\.data inputs(?: v\w+_dc)+(?: <NUMBER>)+|\.enddata",
        "tran": r"\.tran <NUMBER> <NUMBER>",
    }  # fmt: skip
    analyses = (r"\.tran .*", r"\.dc v.*", r"\.dc data=inputs")

    def before_the_first_vector(self, saved) -> int:
        return 2

    def test_powers_are_of_any_exponent(self, texts):
        assert not any("pow(" in text for text in texts.values())


class TestSpectre(DialectContract):
    name = "spectre"
    comment = "//"
    suffix = ".scs"
    expression = r"(?:[a-z_]\w*|\([^=]+\))"
    statements: ClassVar = {
        "language": "simulator lang=spectre",
        "include": r'include "<PATH>"',
        "parameters": r"parameters(?: <NAME>=<NUMBER>)+",
        "subckt": r"subckt <NAME> \( (?:<NODE> )+\)",
        "ends": r"ends <NAME>",
        "resistor": r"r<NODE> \( <NODE> <NODE> \) resistor r=<VALUE>",
        "capacitor": r"c<NODE> \( <NODE> <NODE> \) capacitor c=<VALUE>(?: ic=<VALUE>)?",
        "voltage": r"v<NODE> \( <NODE> <NODE> \) vsource type=dc dc=<VALUE>",
        "pulse": r"v<NODE> \( <NODE> <NODE> \) vsource type=pulse(?: \w+=<NUMBER>){8}",
        "pwl": r"v<NODE> \( <NODE> <NODE> \) vsource type=pwl dc=<NUMBER> wave=\[(?: <NUMBER>)+ \]",
        "mirror": r"f<NODE> \( <NODE> <NODE> \) cccs probe=v<NODE> gain=<NUMBER>",
        "instance": r"x<NODE> \( (?:<NODE> )+\) <NAME><SETTINGS>",
        "controlled": r"e<NODE> \( (?:<NODE> ){4}\) vcvs gain=<VALUE>"
                      r"|g<NODE> \( (?:<NODE> ){4}\) vccs gm=<VALUE>",
        "behaviour": r"b<NODE> \( <NODE> <NODE> \) bsource [iv]=\([^=]+\)",
        "switch": r"s<NODE> \( (?:<NODE> ){4}\) relay vt1=0.499 vt2=0.501"
                  r" ropen=<VALUE> rclosed=<VALUE>",
        "save": r"save(?: v\w+:p| [a-z][\w.]*)+",
        "options": r"accuracy options(?: \w+=<NUMBER>)+",
        "op": r"op\d+ dc",
        "alter": r"set\d+_\d+ alter dev=v\w+ param=dc value=<NUMBER>",
        "tran": r"conversion tran stop=<NUMBER> maxstep=<NUMBER> method=traponly",
    }  # fmt: skip
    analyses = (r"conversion tran .*", r"op0 dc", r"op1 dc")

    def definition(self, statement):
        match = re.match(r"subckt (\w+) \( ((?:\w+ )+)\)", statement)
        return (match[1], len(match[2].split())) if match else None

    def use(self, statement):
        match = re.match(r"x\w+ \( ((?:\w+ )+)\) (\w+)", statement)
        return (match[2], len(match[1].split())) if match else None

    def test_no_subcircuit_has_the_name_of_a_primitive(self, texts):
        primitives = {"switch", "relay", "resistor", "capacitor", "vsource", "bsource", "iprobe"}
        defined = [self.definition(s) for t in texts.values() for s in joined(t, self.comment)]
        assert not primitives & {d[0] for d in defined if d}


@pytest.mark.parametrize("model", MODELS)
def test_expressions_use_functions_that_every_dialect_has(model):
    for statement in joined(spice.model(model), "*"):
        assert set(re.findall(r"([a-z]\w*)\(", statement.partition("=")[2])) <= FUNCTIONS
        if statement.startswith("b"):
            # ngspice drops the braces: an operator inside them would bind to what is outside.
            assert all(re.fullmatch(r"\w+", e) for e in re.findall(r"\{([^}]*)\}", statement))


def test_a_model_that_is_not_there():
    with pytest.raises(SpiceError, match="There is no model nothing"):
        spice.model("nothing", "xyce")


def test_a_statement_without_translation_is_refused():
    text = "* note\n.subckt a p n\nq1 p n 0 transistor\n.ends a\n"
    with pytest.raises(SpiceError, match="must hold known elements"):
        library.translate(text, spice.DIALECTS["xyce"])
