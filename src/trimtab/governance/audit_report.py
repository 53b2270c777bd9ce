"""What an audit of the ledger says."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.governance.finding import Finding
from trimtab.kernel.head import Head


@dataclass(frozen=True)
class AuditReport:
    """Without a finding the ledger is whole; behind entry `vouched` nobody but the database itself says so."""

    entries: int  # read
    head: Head | None  # of the newest entry; None: the ledger is empty
    vouched: int  # the newest entry of which a saved head holds; 0: none
    findings: tuple[Finding, ...]  # in the order in which they were met
    left_out: int  # findings beyond the cap
    unreadable_heads: int  # saved lines that are no heads

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def newer(self) -> int:
        """Entries that no saved head vouches for yet: a removal of these would not be noticed."""
        return 0 if self.head is None else self.head.seq - self.vouched

    def lines(self) -> list[str]:
        """The report for a person, one line each."""
        count = len(self.findings) + self.left_out
        lines = [f"ledger: {self.entries} entries, {'whole' if self.ok else f'NOT whole, {count} found'}"]
        lines += [f"head: {self.head}"] if self.head else []
        if self.vouched:
            lines.append(
                f"saved heads: the newest that holds is of entry {self.vouched}; {self.newer} entries are newer"
            )
        else:
            lines.append("saved heads: none that holds, so a rewritten or shortened ledger would not be noticed")
        if self.unreadable_heads:
            lines.append(f"saved heads: {self.unreadable_heads} lines could not be read")
        for finding in self.findings:
            lines += [finding.text, f"  expected: {finding.expected}", f"  got:      {finding.got}"]
        if self.left_out:
            lines.append(f"… and {self.left_out} more")
        return lines
