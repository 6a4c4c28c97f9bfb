"""From what was measured to tables: for the terminal, and for docs/performance.md. Computes ratios; holds no figure of its own but
the targets."""

import dataclasses

BEGIN, END = "<!-- measured: written by `benches/compare/run --write-docs` -->", "<!-- end of what was measured -->"


@dataclasses.dataclass
class Figure:
    """One line of a table. `least` and `most`: the target; `of`: how a value is shown."""

    title: str
    value: float | None
    of: str = "{:.2f}"
    least: float | None = None
    most: float | None = None

    @property
    def target(self):
        if self.least is not None:
            return "≥ " + self.of.format(self.least)
        return "≤ " + self.of.format(self.most) if self.most is not None else ""

    @property
    def shown(self):
        return "" if self.value is None else self.of.format(self.value)

    @property
    def verdict(self):
        if self.value is None or (self.least is None and self.most is None):
            return ""
        met = (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)
        return "met" if met else "MISSED"


def ratio(above, below):
    return above / below if above is not None and below else None


def wall(measured, name):
    return measured.get(name, {}).get("wall")


def faster(measured):
    """DuckDB's faster way."""
    ways = [measured[way] for way in ("views", "tables") if way in measured]
    return min(ways, key=lambda one: one["wall"]) if ways else {}


def of_checks(measured):
    """Wall and processor time of the checks with their findings written, in the audit that runs only them."""
    stages = measured.get("local", {}).get("stages", {})
    if "checks" not in stages:
        return None, None
    written = stages.get("write/findings", {"wall_s": 0})
    return stages["checks"]["wall_s"] + written["wall_s"], stages["checks"]["cpu_s"]


def correlation(measured):
    """The stage that joins accounts to people, or the one that holds it."""
    stages = measured.get("audit", {}).get("stages", {})
    named = [name for name in ("resolve/correlate", "resolve/accounts", "resolve") if name in stages]
    return (named[0], stages[named[0]]["wall_s"]) if named else ("resolve", None)


def of_size(result, large):
    """The figures of one size. `large`: it is the one for which totals are promised."""
    m, estate = result["measured"], result["estate"]
    peer, (checks, cpu), (stage, joined) = faster(m), of_checks(m), correlation(m)
    audit = m.get("audit", {})
    mb = lambda one: ratio(one.get("rss"), 1e6)
    anonymous = lambda one: ratio(one.get("anonymous"), 1e6)
    figures = [
        Figure("checks with findings written, s", checks),
        Figure("DuckDB, checks over views, s", wall(m, "views")),
        Figure("DuckDB, views stored first, s", wall(m, "tables")),
        Figure("DuckDB's faster way ÷ holdover's checks", ratio(peer.get("wall"), checks), least=3),
        Figure("… processor time", ratio(peer.get("cpu"), cpu)),
        Figure("DuckDB's faster way ÷ the whole audit", ratio(peer.get("wall"), audit.get("wall"))),
        Figure("bare decode, s", wall(m, "floor"), "{:.3f}"),
        Figure("checks ÷ bare decode", ratio(checks, wall(m, "floor")), most=3),
        Figure("checks ÷ bare decode with text as dictionaries", ratio(checks, wall(m, "floor, coded"))),
        Figure("whole audit, s", audit.get("wall"), most=30 if large else None),
        Figure("whole audit, peak MB", mb(audit), "{:.0f}", most=4000 if large else None),
        Figure("… of it anonymous", anonymous(audit), "{:.0f}"),
        Figure("DuckDB, peak MB", mb(peer), "{:.0f}"),
        Figure("… of it anonymous", anonymous(peer), "{:.0f}"),
        Figure("whole audit, µs an edge", ratio(ratio(audit.get("wall"), estate["edges"]), 1e-6), "{:.3f}"),
        Figure("whole audit, one thread ÷ two", ratio(wall(m, "one thread"), audit.get("wall")), least=1.7),
        Figure("checks, one thread ÷ two", ratio(stage_wall(m, "one thread", "checks"), stage_wall(m, "audit", "checks"))),
        Figure("diff of two snapshots ÷ bare decode of both", ratio(wall(m, "diff"), wall(m, "diff floor")), most=1.5),
        Figure(f"correlation (`{stage}`) ÷ DuckDB's e-mail join", ratio(joined, wall(m, "join")), most=4 if large else None),
    ]
    return figures


def stage_wall(measured, run, stage):
    return measured.get(run, {}).get("stages", {}).get(stage, {}).get("wall_s")


def across(results):
    """Figures over several sizes, and those that depend on none."""
    sizes, once = results["sizes"], results["once"]
    per_edge = {s: ratio(wall(r["measured"], "audit"), r["estate"]["edges"]) for s, r in sizes.items()}
    figures = [Figure("µs an edge at 100 M ÷ at 1 M", ratio(per_edge.get("100m"), per_edge.get("1m")), most=1.3)]
    for kind, one in once.get("import", {}).items():
        if "copy" in one:
            figures.append(Figure(f"import of {kind}: DuckDB's COPY to Parquet ÷ holdover", ratio(one["copy"]["wall"], one["wall"]), least=0.7))
        promised = "copy" not in one
        figures.append(Figure(f"import of {kind}, MB/s", ratio(one["bytes"], one["wall"] * 1e6), "{:.0f}", least=150 if promised else None))
        figures.append(Figure(f"import of {kind}, peak MB", one["rss"] / 1e6, "{:.0f}", most=500 if promised else None))
    figures.append(Figure("`demo`, s", wall(once, "demo"), most=5))
    figures.append(Figure("fresh release build, min", ratio(wall(once, "build"), 60), "{:.1f}", most=12))
    return [f for f in figures if f.value is not None]


def findings_line(size, result):
    f = result["findings"]
    if f is None:
        return f"{size}: DuckDB was left out, nothing was compared"
    without = unanswered(result)
    what = f"{f['findings']} findings and {f['counts']} outcomes of {len(result['checks']['evaluated']) - len(without)} checks"
    what += f" ({', '.join(without)} not answered by DuckDB)" if without else ""
    if f["equal"]:
        return f"{size}: {what}, equal in DuckDB; digest {f['digests']['holdover'][:16]}"
    only = [f"{one['count']} only {side}, such as {one['examples'][:2]}" for side, one in f["only"].items()]
    return f"{size}: {what}, DIFFERENT: " + "; ".join([*only, f"counts {f['other_counts']}"])


def ordered(sizes):
    return sorted(sizes, key=lambda s: sizes[s]["estate"]["edges"])


def terminal(results, asked):
    """Target and measured side by side."""
    lines = []
    for size in asked:
        result = results["sizes"][size]
        estate = result["estate"]
        lines += ["", f"{size}: {estate['edges']} edges, {estate['accounts']} accounts, {estate['identities']} identities, {estate['systems']} systems"]
        lines += table(["figure", "target", "measured", ""], [[f.title, f.target, f.shown, f.verdict] for f in of_size(result, size == "100m") if f.value is not None])
    if rest := across(results):
        lines += ["", *table(["figure", "target", "measured", ""], [[f.title, f.target, f.shown, f.verdict] for f in rest])]
    lines += ["", *(findings_line(size, results["sizes"][size]) for size in asked)]
    return "\n".join(lines)


def table(head, rows):
    wide = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    aligned = lambda row: "  ".join(cell.rjust(w) if 0 < i < 3 else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, wide))).rstrip()
    return [aligned(row) for row in [head, ["-" * w for w in wide], *rows]]


def markdown(head, rows, right=1):
    line = lambda cells: "| " + " | ".join(cells) + " |"
    return [line(head), line(["---" if i < right else "--:" for i in range(len(head))]), *map(line, rows)]


def page(results):
    """The measured part of docs/performance.md. What was not measured has no row."""
    sizes, machine = results["sizes"], results["machine"]
    names = ordered(sizes)
    disk = machine["disk"]
    lines = [
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_bytes'] / 2**30:.0f} GiB of memory, {machine['system']}; {disk['file_system']}, "
        f"written to and synced at {disk['write_bytes_per_second'] / 1e6:.0f} MB/s. "
        + "; ".join(sorted({r["holdover"] for r in sizes.values()} | {f"DuckDB {way['version']}" for r in sizes.values() if (way := faster(r["measured"]))}))
        + f". {max(r['threads'] for r in sizes.values())} threads each.",
        "",
    ]
    rows = [["edges"], ["accounts"], ["identities"], ["systems"], ["stored, MB"], ["checks evaluated"], ["… over parts"], ["findings, equal in DuckDB"]]
    for name in names:
        r, e = sizes[name], sizes[name]["estate"]
        cells = [e["edges"], e["accounts"], e["identities"], e["systems"], round(e["bytes"] / 1e6), len(r["checks"]["evaluated"]), len(r["checks"]["partition_local"])]
        for row, cell in zip(rows, [*map(grouped, cells), compared(r["findings"])]):
            row.append(cell)
    if any(unanswered(r) for r in sizes.values()):
        rows.append(["… without these checks", *(", ".join(unanswered(sizes[name])) for name in names)])
    lines += markdown(["estate", *names], rows) + [""]
    columns = [of_size(sizes[name], name == "100m") for name in names]
    rows = [[line[0].title, next((f.target for f in line if f.target), ""), *(marked(f) for f in line)] for line in zip(*columns) if any(f.value is not None for f in line)]
    lines += markdown(["figure", "target", *names], rows) + [""]
    if rest := across(results):
        lines += markdown(["figure", "target", "measured"], [[f.title, f.target, marked(f)] for f in rest]) + [""]
    return lines + profile(sizes, names)


def compared(findings):
    if findings is None:
        return "not compared"
    return grouped(findings["findings"]) if findings["equal"] else "**no**"


def unanswered(result):
    """Checks for which DuckDB had not enough memory."""
    return (result["findings"] or {}).get("unanswered", [])


def grouped(number):
    return f"{number:,}"


def marked(figure):
    return f"**{figure.shown}** (missed)" if figure.verdict == "MISSED" else figure.shown


def profile(sizes, names):
    """Seconds by stage of the whole audit."""
    audits = {name: sizes[name]["measured"]["audit"] for name in names if sizes[name]["measured"].get("audit", {}).get("stages")}
    if not audits:
        return []
    stages = dict.fromkeys(stage for audit in audits.values() for stage in audit["stages"])
    rows = []
    for stage in stages:
        told = [audit["stages"].get(stage) for audit in audits.values()]
        shown = f"… {stage.split('/', 1)[1]}" if "/" in stage else stage
        # Parts that cost next to nothing everywhere are left out.
        if "/" in stage and all(one is None or one["wall_s"] < 0.01 * total(audit) for one, audit in zip(told, audits.values())):
            continue
        rows.append([shown, *("" if one is None else f"{one['wall_s']:.2f}" for one in told)])
    return ["Seconds of the whole audit by stage (`--timings`). Parts that run side by side are added up.", "", *markdown(["stage", *audits], rows), ""]


def total(audit):
    return audit["stages"].get("total", {}).get("wall_s") or audit["wall"]


def write_page(path, results):
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n\n" + "\n".join(page(results)).rstrip() + f"\n\n{END}{after}", encoding="utf-8")
