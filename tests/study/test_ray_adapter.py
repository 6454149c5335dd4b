from study.ray_adapter import failure_in

RAISED = """Failure # 1 (occurred at 2026-11-21_07-44-28)
ray::PriorTrainable.train() (pid=1, ip=127.0.0.1, repr=<trainable>)
  File "trainables/training.py", line 105, in fit_epoch
    train_rate, train_distortion = self._train(epoch)
trainables.measurement.DivergenceError: train_rate is nan in epoch 1
"""
DIED = """Failure # 1 (occurred at 2026-11-21_07-44-28)
The actor died unexpectedly before finishing this task.
ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task.
\tclass_name: PriorTrainable
"""


def test_what_a_trial_raised_is_its_reason() -> None:
    reason = "DivergenceError: train_rate is nan in epoch 1"
    assert failure_in(RAISED) == (reason, False)


def test_a_worker_that_is_gone_is_no_failure_of_its_trial() -> None:
    assert failure_in(DIED) == ("its worker process ended unexpectedly", True)


def test_an_error_without_a_form_keeps_its_last_line() -> None:
    assert failure_in("something\nodd\n") == ("odd", False)
