"""The newest item wins; no ROS needed."""

from __future__ import annotations

from threading import Event, Thread
from time import sleep

from dense_reloc_ros.nodes.worker import NewestItemWorker


def test_everything_is_processed_when_there_is_time() -> None:
    done: list[int] = []
    finished = Event()

    def process(item: int) -> None:
        done.append(item)
        finished.set()

    worker = NewestItemWorker(process)
    worker.start()
    for item in range(5):
        finished.clear()
        worker.submit(item)
        assert finished.wait(10)
    worker.stop(10)
    assert done == [0, 1, 2, 3, 4]
    assert worker.dropped == 0


def test_waiting_items_are_replaced_by_newer_ones() -> None:
    done: list[int] = []
    began, go_on, last = Event(), Event(), Event()

    def process(item: int) -> None:
        done.append(item)
        began.set()
        assert go_on.wait(10)
        if item == 9:
            last.set()

    worker = NewestItemWorker(process)
    worker.start()
    worker.submit(0)
    assert began.wait(10)
    for item in range(1, 10):
        worker.submit(item)
    go_on.set()
    assert last.wait(10)
    worker.stop(10)
    assert done == [0, 9]
    assert worker.dropped == 8


def test_stop_waits_for_the_item_in_work_and_start_goes_on() -> None:
    done: list[int] = []
    began, go_on = Event(), Event()

    def process(item: int) -> None:
        began.set()
        assert go_on.wait(10)
        done.append(item)

    worker = NewestItemWorker(process)
    worker.submit(0)  # nobody works yet
    worker.start()
    worker.submit(1)
    assert began.wait(10)
    worker.submit(2)
    stopping = Thread(target=worker.stop, args=(10,))
    stopping.start()
    while worker.is_running:
        sleep(0.001)
    assert not done
    go_on.set()
    stopping.join()
    assert done == [1]
    worker.submit(3)
    began.clear()
    worker.start()
    worker.submit(4)
    assert began.wait(10)
    worker.stop(10)
    assert done == [1, 4]
    assert worker.dropped == 0


def test_stop_leaves_an_item_that_takes_too_long_to_itself() -> None:
    done: list[int] = []
    still_mine: list[bool] = []
    began, go_on, last = Event(), Event(), Event()

    def process(item: int) -> None:
        began.set()
        assert go_on.wait(10)
        still_mine.append(worker.is_here)
        done.append(item)
        last.set()

    worker = NewestItemWorker(process)
    worker.start()
    worker.submit(0)
    assert began.wait(10)
    assert not worker.stop(0.01)
    worker.start()
    go_on.set()
    assert last.wait(10)
    last.clear()
    worker.submit(1)
    assert last.wait(10)
    assert worker.stop(10)
    assert done == [0, 1]
    assert still_mine == [False, True]
