"""How each figure is computed."""

from __future__ import annotations


def methods() -> tuple[tuple[str, str], ...]:
    """Name and definition, in the order of the page."""
    return (
        (
            "managed, frozen",
            "Managed is what users were answered, by whichever release was in force. Frozen is the first release, "
            "scored afterwards on the same rows with the same features.",
        ),
        (
            "AUC",
            "The chance that a case that came true was scored above one that did not, over the month’s "
            "answers with a known truth. The mean is the plain mean of the months.",
        ),
        ("log-loss", "The mean of −ln(probability given to what came true), in nats per answer."),
        ("95 % intervals", "By resampling whole days, since answers of one day are not independent."),
        (
            "loss",
            "Log-loss of an answer minus that of a model refitted for the month, paired on the same rows; days are "
            "resampled whole.",
        ),
        (
            "harm",
            "By how much the challenger is worse than the champion in the rollout’s metric, on rows that both "
            "scored, a day as one piece of evidence; the interval holds at every look, so that looking daily costs "
            "nothing.",
        ),
        (
            "PSI",
            "Population stability index: the sum over bins of (share now − share in training) × ln(share now ÷ "
            "share in training).",
        ),
        (
            "mismatches",
            "Answers of which a served feature value is not reproduced from raw rows by its definition.",
        ),
        ("ledger", "Each entry holds the SHA-256 of the one before; verified means that all were recomputed."),
    )
