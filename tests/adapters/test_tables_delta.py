"""Contract of ports/tables.py on Delta: each append once, whoever is killed or races, and read by files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from deltalake import DeltaTable

from trimtab.adapters.tables_delta import DeltaTables
from trimtab.kernel.canonical import sha256
from trimtab.kernel.errors import Corrupt, NotFound, ProjectInvalid
from trimtab.kernel.moment import to_us
from trimtab.ports.tables import Appended

DRILL = Path(__file__).with_name("tables_drill.py")


def frame(*numbers: int) -> pl.DataFrame:
    rows = {"x": numbers, "name": [f"n{number}" for number in numbers]}
    return pl.DataFrame(rows, schema={"x": pl.Int64, "name": pl.String})


def append(tables: DeltaTables, number: int, *numbers: int, writer: str = "w", table: str = "t") -> Appended:
    return tables.append(table, frame(*numbers), writer=writer, number=number, note={"n": number})


def files(done: Appended) -> list[str]:
    return [name for name, _ in done.files]


def everything(tables: DeltaTables, table: str = "t") -> list[int]:
    return tables.scan(table).select("x").collect().to_series().sort().to_list()


def test_what_is_appended_is_read_back_with_its_files_and_their_hashes(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    assert not tables.exists("t")
    assert tables.last("t", "w") is None
    first, second = append(tables, 1, 3, 1, 2), append(tables, 2, 5, 4)
    assert tables.exists("t")
    assert tables.scan("t", files(first)).collect().equals(frame(3, 1, 2))
    assert tables.scan("t", files(first) + files(second)).collect().equals(frame(3, 1, 2, 5, 4))
    assert [sha256((tmp_path / "t" / name).read_bytes()) for name in files(second)] == [
        one for _, one in second.files
    ]
    assert (first.number, second.number, second.note) == (1, 2, {"n": 2})
    assert second.table_version == first.table_version + 1


def test_a_number_is_appended_once(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    first = append(tables, 1, 1)
    assert append(tables, 1, 99) == first
    second = append(tables, 2, 2)
    assert append(tables, 1, 99) == first
    assert append(DeltaTables(tmp_path), 2, 99) == second
    assert everything(tables) == [1, 2]


def test_writers_count_for_themselves(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    append(tables, 1, 1, writer="a")
    append(tables, 1, 2, writer="b")
    append(tables, 2, 3, writer="a")
    assert everything(tables) == [1, 2, 3]
    assert [one.number for one in map(DeltaTables(tmp_path).last, ["t", "t"], ["a", "b"]) if one] == [2, 1]
    assert tables.last("t", "c") is None


def test_a_fresh_process_learns_what_was_finished(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    done = [append(tables, number, number, number) for number in range(1, 6)]
    assert DeltaTables(tmp_path).last("t", "w") == done[-1]
    assert append(DeltaTables(tmp_path), 2, 99) == done[1]


def test_an_open_table_sees_what_others_append(tmp_path: Path) -> None:
    one, other = DeltaTables(tmp_path), DeltaTables(tmp_path)
    append(one, 1, 1)
    assert everything(other) == [1]
    second = append(one, 2, 2)
    assert everything(other) == [1, 2]
    assert other.last("t", "w") == second


@pytest.mark.parametrize("writers", [("w", "w"), ("a", "b")])
def test_races_end_with_each_number_once_and_each_with_its_own_files(
    tmp_path: Path, writers: tuple[str, str]
) -> None:
    for number in range(1, 7):
        start = threading.Barrier(2)
        done: dict[int, Appended] = {}

        def go(
            place: int, number: int = number, start: threading.Barrier = start, done: dict[int, Appended] = done
        ) -> None:
            tables = DeltaTables(tmp_path)
            if number > 1:
                tables.last("t", "w")
            start.wait()
            done[place] = append(tables, number, 10 * number + place, writer=writers[place])

        threads = [threading.Thread(target=go, args=(place,)) for place in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows = [DeltaTables(tmp_path).scan("t", files(done[place])).collect()["x"].to_list() for place in (0, 1)]
        if writers[0] == writers[1]:
            assert done[0] == done[1]
            assert rows[0] in ([10 * number], [10 * number + 1])
        else:
            assert rows == [[10 * number], [10 * number + 1]]
    assert len(everything(DeltaTables(tmp_path))) == (6 if writers[0] == writers[1] else 12)


def test_an_append_without_rows_is_an_append(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    done = append(tables, 1)
    assert done.files == ()
    assert tables.last("t", "w") == done == DeltaTables(tmp_path).last("t", "w")
    assert tables.scan("t").collect().equals(frame())
    append(tables, 2, 1)
    assert tables.scan("t", []).collect().schema == frame(1).schema
    assert everything(tables) == [1]


def test_many_rows_keep_their_order(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    rows = pl.DataFrame({"x": pl.arange(0, 1_500_000, eager=True).reverse()})
    done = tables.append("t", rows, writer="w", number=1, note={})
    assert tables.scan("t", files(done)).collect().equals(rows)


def test_instants_of_any_zone_and_unit_are_kept_in_utc(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    # The hour that New York lives through twice: 05:30 and 06:30 UTC are both 01:30.
    twice = [
        datetime(2013, 11, 3, hour, 30, tzinfo=UTC).astimezone(ZoneInfo("America/New_York")) for hour in (5, 6)
    ]
    rows = pl.DataFrame({"us": twice}).with_columns(
        pl.col("us").dt.cast_time_unit("ns").alias("ns"), pl.col("us").dt.cast_time_unit("ms").alias("ms")
    )
    tables.append("t", rows, writer="w", number=1, note={})
    read = tables.scan("t").collect()
    assert set(read.schema.values()) == {pl.Datetime("us", "UTC")}
    assert [tuple(map(to_us, row)) for row in read.rows()] == [(to_us(moment),) * 3 for moment in twice]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["2013-04-01", "2013-04-02", None], pl.String),
        (["01", "02", None], pl.String),
        (["a b", "ü/é", "x=1%20"], pl.String),
        ([1, 2, None], pl.Int64),
        ([date(2013, 4, 1), date(2013, 4, 2), None], pl.Date),
    ],
)
def test_a_partition_column_comes_back_as_it_was(
    tmp_path: Path, values: list[object], kind: type[pl.DataType]
) -> None:
    tables = DeltaTables(tmp_path)
    rows = pl.DataFrame({"day": pl.Series(values, dtype=kind), "x": [1, 2, 3]})
    done = tables.append("t", rows, writer="w", number=1, note={}, partition_by=["day"])
    again = tables.append("t", rows, writer="w", number=2, note={}, partition_by=["day"])
    assert len(done.files) == 3
    assert DeltaTables(tmp_path).last("t", "w") == again
    for read in (tables.scan("t", files(done)).collect(), DeltaTables(tmp_path).scan("t").collect().unique()):
        assert read.sort("x").equals(rows)
    one_day = tables.scan("t", files(done)).filter(pl.col("day") == pl.lit(values[0], dtype=kind)).collect()
    assert one_day["x"].to_list() == [1]


@pytest.mark.parametrize("folder", ["a b", "ü", "a+b&d", "a*b", "~$'{a}'"])
def test_folders_may_have_odd_names(tmp_path: Path, folder: str) -> None:
    done = append(DeltaTables(tmp_path / folder), 1, 1)
    assert everything(DeltaTables(tmp_path / folder)) == [1]
    assert DeltaTables(tmp_path / folder).last("t", "w") == done
    assert [path.name for path in tmp_path.iterdir()] == [folder]


@pytest.mark.parametrize("folder", ["a[1]", "a%20b", "a^b", "a|b", "a\\b", "a#b", "a?b"])
def test_folders_that_delta_would_mistake_are_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(ProjectInvalid, match="cannot lie in this folder") as refused:
        DeltaTables(tmp_path / folder)
    assert refused.value.where == str(tmp_path / folder)
    assert "without any of" in refused.value.allowed


def test_relative_and_linked_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = append(DeltaTables(Path("tables")), 1, 1)
    (tmp_path / "link").symlink_to(tmp_path / "tables")
    linked = DeltaTables(tmp_path / "link")
    assert linked.last("t", "w") == done
    append(linked, 2, 2)
    assert everything(DeltaTables(tmp_path / "tables")) == [1, 2]


def test_a_table_that_was_never_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no table 'sources/weather'"):
        DeltaTables(tmp_path).scan("sources/weather")


def test_a_pinned_file_that_is_gone_is_corruption(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    done = append(tables, 1, 1)
    append(tables, 2, 2)
    (tmp_path / "t" / files(done)[0]).unlink()
    with pytest.raises(Corrupt, match="table 't' is corrupt") as gone:
        tables.scan("t", files(done))
    assert files(done)[0] in gone.value.where
    assert gone.value.got == "1 of 1 files are gone"


def test_files_are_held_against_what_lies_there(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    done = append(tables, 1, 1)
    more = append(tables, 2, 2)
    tables.check("t", [*done.files, *more.files])
    tables.check("t", [])
    path = tmp_path / "t" / files(more)[0]
    path.write_bytes(path.read_bytes() + b"1")
    tables.check("t", done.files)
    with pytest.raises(Corrupt, match="table 't' is corrupt") as changed:
        tables.check("t", [*done.files, *more.files])
    assert changed.value.where == str(path) and more.files[0][1] in changed.value.allowed
    assert changed.value.got == "1 of 2 files are not what was written"
    path.unlink()
    with pytest.raises(Corrupt, match="1 of 2 files are gone"):
        tables.check("t", [*done.files, *more.files])


def test_pinned_files_are_read_without_the_log(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    done, _ = append(tables, 1, 3, 1), append(tables, 2, 2)
    parted = tables.append("parted", _dated(1, 2), writer="w", number=1, note={}, partition_by=["date"])
    for table in ("t", "parted"):
        shutil.rmtree(tmp_path / table / "_delta_log")
    found = DeltaTables(tmp_path)
    assert found.scan("t", files(done)).collect().equals(frame(3, 1))
    assert found.scan("parted", files(parted)).select("x", "date").sort("x").collect().equals(_dated(1, 2))
    nothing: list[str] = []
    for named in (None, nothing):
        with pytest.raises(NotFound, match="there is no table 't'"):
            found.scan("t", named)


def test_compaction_and_expiry_by_others_take_no_pinned_file_and_no_stamp(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    done = [append(tables, number, number) for number in range(1, 13)]
    table = DeltaTable(str(tmp_path / "t"))
    assert table.optimize.compact()["numFilesRemoved"] == 12
    table.create_checkpoint()
    years_ago_s = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    for commit in (tmp_path / "t" / "_delta_log").iterdir():
        os.utime(commit, (years_ago_s, years_ago_s))
    table.cleanup_metadata()
    assert table.vacuum(dry_run=False, full=True) == []
    with pytest.raises(Exception, match="retention"):
        table.vacuum(retention_hours=10 * 365 * 24, dry_run=False)
    again = DeltaTables(tmp_path)
    for number, one in enumerate(done, 1):
        again.check("t", one.files)
        assert again.scan("t", files(one)).collect().equals(frame(number))
    assert again.last("t", "w") == done[-1]
    assert append(again, 13, 13).number == 13
    assert everything(again) == list(range(1, 14))


def _dated(*days: int) -> pl.DataFrame:
    return pl.DataFrame({"x": days, "date": [date(2013, 4, day) for day in days]})


def test_an_append_whose_commit_is_gone_is_corruption(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    append(tables, 1, 1)
    append(tables, 1, 2, writer="other")
    DeltaTable(str(tmp_path / "t")).create_checkpoint()
    (tmp_path / "t" / "_delta_log" / f"{1:020}.json").unlink()
    with pytest.raises(Corrupt, match="table 't' is corrupt") as gone:
        DeltaTables(tmp_path).last("t", "w")
    assert "append 1 of writer 'w'" in gone.value.allowed


def test_a_long_history_is_read_once(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    done = [append(tables, number, number) for number in range(1, 61)]
    fresh = DeltaTables(tmp_path)
    assert fresh.last("t", "w") == done[-1]
    started_s = time.perf_counter()
    for _ in range(20):
        fresh.last("t", "w")
    assert (time.perf_counter() - started_s) / 20 < 0.05
    assert everything(fresh) == list(range(1, 61))


def test_a_killed_writer_takes_up_where_it_stopped(tmp_path: Path) -> None:
    command = [sys.executable, str(DRILL), str(tmp_path), "w", "40"]
    said: list[int] = []
    for kill_after in (1, 4, 7, 2):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            said.append(int(line))
            if len(said) % 8 == kill_after:
                time.sleep(0.01 * kill_after)
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.close()
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    rows = DeltaTables(tmp_path).scan("drill").collect().sort("number", "row")
    assert rows["number"].to_list() == [number for number in range(1, 41) for _ in range(3)]
    assert rows["row"].to_list() == [0, 1, 2] * 40
    assert len(said) > 4


def test_an_append_of_long_ago_is_found_after_checkpoints(tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path)
    old = append(tables, 1, 1, writer="old")
    long_ago_s = time.time() - 400 * 86_400
    for commit in (tmp_path / "t" / "_delta_log").iterdir():
        os.utime(commit, (long_ago_s, long_ago_s))
    for number in range(1, 26):
        append(tables, number, number, writer="new")
    assert list((tmp_path / "t" / "_delta_log").glob("*.checkpoint.parquet"))
    assert DeltaTables(tmp_path).last("t", "old") == old
