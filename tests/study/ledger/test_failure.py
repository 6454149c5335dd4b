import pytest

from study.ledger.failure import Failure, FailureKind, failure_in

RAISED = """Failure # 1 (occurred at 2026-11-21_07-44-28)
ray::PriorTrainable.train() (pid=1, ip=127.0.0.1, repr=<trainable>)
  File "trainables/training/trainer.py", line 105, in fit_epoch
    train_rate, train_distortion = self._train(epoch)
trainables.measurement.DivergenceError: train_rate is nan in epoch 1
"""
DIED = """Failure # 1 (occurred at 2026-11-21_07-44-28)
The actor died unexpectedly before finishing this task.
ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task.
\tclass_name: PriorTrainable
"""


NO_ROOM = """Failure # 1 (occurred at 2026-11-21_07-44-28)
ray::PriorTrainable.train() (pid=1, ip=127.0.0.1, repr=<trainable>)
  File "trainables/training/trainer.py", line 105, in fit_epoch
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 139 GiB.
"""
NODE_FULL = """ray.exceptions.OutOfMemoryError: Task was killed, the node running low on memory.
Memory on the node was 15.2GB / 16.0GB, which exceeds the threshold of 0.95.
"""
FULL_AND_DIED = """The actor died unexpectedly before finishing this task.
ray.exceptions.ActorDiedError: The actor died because its node was running low on memory.
"""


def test_what_a_trial_raised_is_its_reason() -> None:
    reason = "DivergenceError: train_rate is nan in epoch 1"
    assert failure_in(RAISED) == Failure(FailureKind.DIVERGED, reason)


def test_a_worker_that_is_gone_is_no_failure_of_its_trial() -> None:
    reason = "its worker process ended unexpectedly"
    assert failure_in(DIED) == Failure(FailureKind.LOST, reason)


NODE_DIED = """Failure # 1 (occurred at 2026-11-21_13-01-20)
The actor died unexpectedly before finishing this task.
\tclass_name: PriorTrainable
\tactor_id: 5e0f14ac2bc814516931f56d01000000
The actor is dead because its owner has died. Owner Id: 01000000ff Owner Ip address: 192.0.2.2\
 Owner worker exit type: SYSTEM_ERROR Worker exit detail: Owner's node has crashed.
"""


def test_a_dead_node_is_no_failure_of_its_trial_either() -> None:
    reason = "its worker process ended unexpectedly"
    assert failure_in(NODE_DIED) == Failure(FailureKind.LOST, reason)


def test_an_error_without_a_form_keeps_its_last_line() -> None:
    assert failure_in("something\nodd\n") == Failure(FailureKind.RAISED, "odd")
    assert failure_in("") == Failure(FailureKind.RAISED, "no message")


def test_an_exception_is_named_with_its_message() -> None:
    text = "Traceback (most recent call last):\nKeyError: 'x'\n"
    assert failure_in(text) == Failure(FailureKind.RAISED, "KeyError: 'x'")


def test_an_exception_without_a_message_is_named() -> None:
    assert failure_in("Traceback:\nAssertionError\n").reason == "AssertionError"


@pytest.mark.parametrize("text", [NO_ROOM, NODE_FULL, FULL_AND_DIED, "MemoryError\n"])
def test_a_full_memory_is_told_from_a_lost_worker(text: str) -> None:
    assert failure_in(text).kind == FailureKind.OUT_OF_MEMORY


def test_an_error_that_follows_a_divergence_is_not_one() -> None:
    text = f"{RAISED}During handling of the above exception:\nOSError: the disk is full\n"
    assert failure_in(text) == Failure(FailureKind.RAISED, "OSError: the disk is full")
