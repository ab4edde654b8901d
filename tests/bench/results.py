"""What was found: lines of JSON in a file, each written as soon as it is known, and the tables they make."""

import json
import statistics

from scenarios import SCENARIOS, WITHOUT_RATIO
from servers import PEERS
from targets import TARGETS


class Results:
    """Figures by scenario and peer, one for each round; where a run failed, why."""

    def __init__(self, path):
        self.path = path
        self.facts = []
        self.scenarios = []
        self.peers = []
        self.found = {}
        self.failed = {}

    @classmethod
    def read(cls, path):
        results = cls(path)
        for line in path.read_text().splitlines():
            results.take(json.loads(line))
        return results

    def write(self, **line):
        """Keeps a line, and appends it to the file."""
        self.take(line)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def take(self, line):
        if "facts" in line:
            self.facts, self.scenarios, self.peers = line["facts"], line["scenarios"], line["peers"]
        elif line["figures"] is None:
            self.failed[line["scenario"], line["peer"]] = line["why"]
        else:
            self.found.setdefault((line["scenario"], line["peer"]), []).append(line["figures"])

    def median(self, scenario, peer, figure):
        """`None` where there is none."""
        found = self.found.get((scenario, peer))
        return statistics.median(one[figure] for one in found) if found else None

    def cell(self, scenario, peer, figure):
        median, ours = self.median(scenario, peer, figure), self.median(scenario, "ours", figure)
        if median is None:
            if (scenario, peer) in self.failed:
                return "failed"
            return "" if scenario in PEERS[peer].scenarios else "-"
        if peer == "ours" or figure in WITHOUT_RATIO or not ours or ours < 0:
            return shown(median)
        return f"{shown(median)} ({median / ours:.2f})"

    def table(self):
        """Rows are figures, columns peers."""
        lines = ["| scenario | figure | " + " | ".join(self.peers) + " |", "|---|---|" + "---:|" * len(self.peers)]
        for scenario in self.scenarios:
            for figure, words in SCENARIOS[scenario].figures.items():
                cells = " | ".join(self.cell(scenario, peer, figure) for peer in self.peers)
                lines.append(f"| {scenario} | {words} | {cells} |")
        return "\n".join(lines)

    def targets(self):
        """Each target with what it is held against; those that nothing was measured for are `-`."""
        lines = ["| target | found | allowed | |", "|---|---:|---:|---|"]
        for words, found, allowed in TARGETS:
            values = [side(self.median) if callable(side) else side for side in (found, allowed)]
            verdict = "-" if None in values else "pass" if values[0] <= values[1] else "**fail**"
            lines.append(f"| {words} | " + " | ".join("-" if value is None else shown(value) for value in values))
            lines[-1] += f" | {verdict} |"
        return "\n".join(lines)

    def page(self):
        parts = ["\n".join(self.facts), self.table(), "Targets, of the same run:", self.targets()]
        if self.failed:
            names = (f"{peer} in {scenario} ({why})" for (scenario, peer), why in sorted(self.failed.items()))
            parts.append(f"Failed at least once: {', '.join(names)}. What servers said is in target/bench/server.log.")
        return "\n\n".join(parts)


def shown(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
