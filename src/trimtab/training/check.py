"""What is wrong with a declared label, found before anything runs: all of it, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from trimtab.kernel.errors import Misdeclared, TrimtabError, listed
from trimtab.kernel.label import GIVEN_KEY, GIVEN_LABEL, KINDS, Label
from trimtab.kernel.question import Question


def check_label(label: Label, question: Question, schemas: Mapping[str, pl.Schema]) -> Iterator[TrimtabError]:
    """Problems of the label.

    Args:
        label: what is declared.
        question: what it answers.
        schemas: columns of the sources; sources that cannot be read are absent and reported elsewhere.
    """
    if label.kind not in KINDS:
        yield Misdeclared(
            "label",
            label.column,
            "is of an unknown kind",
            where=label.place,
            allowed=listed(KINDS),
            got=label.kind,
            do="use one of the kinds listed",
        )
    schema = schemas.get(label.source.name)
    if schema is not None:
        yield from _column(label, schema)
        yield from _key(label, question, schema, schemas.get(question.source.name, pl.Schema()))
    if schema is not None and label.feedback is not None:
        yield from _feedback(label, schema, schemas.get(label.feedback.name, pl.Schema()))


def _column(label: Label, schema: pl.Schema) -> Iterator[TrimtabError]:
    kind = schema.get(label.column)
    if kind is None:
        yield Misdeclared(
            "label",
            label.column,
            "is not a column of its source",
            where=label.place,
            allowed=f"columns of source '{label.source.name}': {listed(schema)}",
            got=label.column,
            do="name one of the columns",
        )
    elif not (kind == pl.Boolean or kind.is_numeric()):
        yield Misdeclared(
            "label",
            label.column,
            "has a type that says neither yes nor no",
            where=label.place,
            allowed="Boolean, or a number that is 0 or 1",
            got=str(kind),
            do="convert the column where the source is read",
        )


def _feedback(label: Label, schema: pl.Schema, given: pl.Schema) -> Iterator[TrimtabError]:
    assert label.feedback is not None
    if label.feedback is label.source or not {GIVEN_KEY, GIVEN_LABEL} <= set(given):
        yield Misdeclared(
            "label",
            label.column,
            "has a feedback that is none",
            where=label.place,
            allowed="a source that trimtab.feedback() has declared, beside the label's own",
            got=f"source '{label.feedback.name}'",
            do="declare feedback = trimtab.feedback(), or leave it out",
        )
    elif label.column in schema and not _one_kind(schema[label.column], given[GIVEN_LABEL]):
        yield Misdeclared(
            "label",
            label.column,
            "has another type than the labels that are sent for it",
            where=label.place,
            allowed=f"{schema[label.column]}, as of '{label.column}' in source '{label.source.name}'",
            got=f"{given[GIVEN_LABEL]}, of '{GIVEN_LABEL}' in source '{label.feedback.name}'",
            do=f"declare trimtab.feedback(label=pl.{schema[label.column]})",
        )


def _one_kind(one: pl.DataType, other: pl.DataType) -> bool:
    return one == other or (one.is_integer() and other.is_integer()) or (one.is_float() and other.is_float())


def _key(label: Label, question: Question, schema: pl.Schema, asked: pl.Schema) -> Iterator[TrimtabError]:
    by, named = label.source.keys[0], question.key
    if by in schema and named in asked and schema[by] != asked[named]:
        yield Misdeclared(
            "label",
            label.column,
            "is keyed by another type than the question",
            where=label.place,
            allowed=f"{asked[named]}, as of '{named}' in source '{question.source.name}'",
            got=f"{schema[by]}, of '{by}' in source '{label.source.name}'",
            do="give both keys one type where the sources are read",
        )
