"""Rounds as graphs: recorded after a warm-up, fed in place, and given up with a notice."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_methods import batch
from test_trainer import lowered, same, trainer, weights
from torch import Tensor

from translate.data.batch import Batch
from translate.training.graphed import MOST, WARM_UP, Graphs, Played, Round


class Recorder:
    """Records as a GPU would: nothing is done at first, and what is done later ends up in the same tensors."""

    def __init__(self, round_: Round) -> None:
        self.calls: list[Callable[[], Played]] = []
        self._round = round_
        self._seen: dict[Any, Played] = {}

    def round(self, batches: Any, kind: Any) -> Played:
        """The round, whose results in the warm-up tell how those of the recorded one will look."""
        self._seen[kind] = self._round(batches, kind)
        return self._seen[kind]

    def record(self, call: Callable[[], Played]) -> tuple[Callable[[], None], Played]:
        self.calls.append(call)
        like = self._seen[inspect.getclosurevars(call).nonlocals["kind"]]
        lying = like._replace(values=torch.zeros_like(like.values), finite=torch.zeros_like(like.finite))

        def replay() -> None:
            played = call()
            lying.values.copy_(played.values)
            lying.finite.copy_(played.finite)

        return replay, lying

    def graphs(self) -> Graphs:
        return Graphs(self.round, self.record)


def squared(batches: Any, kind: Any) -> Played:
    value = torch.stack([each.a.square().sum() for each in batches]).sum().view(1)
    return Played(("G/one",), value, ("G/one",), torch.isfinite(value))


def test_rounds_are_recorded_after_a_warm_up_and_fed_with_new_batches():
    recorder = Recorder(squared)
    graphs = recorder.graphs()
    given = [batch(count=1) for _ in range(6)]
    for index, one in enumerate(given):
        one.a.fill_(index)
        played = graphs([one], None)
        assert played.values.item() == index**2 * one.a.numel()
    assert len(recorder.calls) == 1
    kept = graphs([given[1]], None)
    graphs([given[5]], None)
    assert kept.values.item() == given[1].a.numel()  # not what the next replay wrote


def test_each_kind_and_shape_has_its_own_graph_and_too_many_end_them():
    recorder = Recorder(squared)
    graphs = recorder.graphs()
    for size in range(8, 8 + MOST + 1):
        for _ in range(WARM_UP + 1):
            graphs([Batch(torch.ones(1, 3, size, size), None, ("file",))], size)
    assert len(recorder.calls) == MOST
    assert "more shapes than the 8" in graphs.take_notice()
    assert graphs.take_notice() == ""
    again = graphs([Batch(torch.ones(1, 3, 8, 8), None, ("file",))], 8)
    assert again.values.item() == 3 * 8 * 8


def test_a_round_that_cannot_be_recorded_is_played_as_it_is():
    def fails(call: Any) -> Any:
        raise RuntimeError("operation not permitted\nwhen stream is capturing")

    graphs = Graphs(squared, fails)
    for _ in range(WARM_UP + 3):
        assert graphs([batch(count=1)], None).values.numel() == 1
    assert graphs.take_notice() == "no CUDA graph from here on, operation not permitted when stream is capturing."


def test_a_run_with_graphs_has_the_weights_of_one_without_and_goes_on_after_a_restore():
    # A rate that fp32 holds exactly, as a graph keeps it in a tensor.
    plain, graphed = (trainer("cycle", values={"pool": 3, "learning_rate": 2**-12}) for _ in range(2))
    given = [batch(count=1) for _ in range(9)]
    for one in given[:2]:
        plain.advance([one]), graphed.advance([one])
    recorder = Recorder(graphed._round)
    graphed._graphs = recorder.graphs()
    graphed._prepare_optimizers()
    assert all(isinstance(o.param_groups[0]["lr"], Tensor) for o in graphed.optimizers.values())
    for one in given[2:7]:
        wanted, losses = lowered(plain.advance([one])), graphed.advance([one])
    assert recorder.calls
    assert wanted == pytest.approx({**wanted, **lowered(losses)})
    graphed.restore(graphed.state())
    for one in given[7:]:
        plain.advance([one]), graphed.advance([one])
    assert same(weights(plain), weights(graphed))
    assert graphed.current_rates() == plain.current_rates()


def test_what_a_graph_cannot_do_ends_them_with_one_notice():
    trained = trainer()

    def fails(call: Any) -> Any:
        raise RuntimeError("no")

    trained._graphs = Graphs(trained._round, fails)
    for _ in range(WARM_UP + 3):
        trained.advance([batch()])
    assert trained.take_notices() == [f"Step {WARM_UP + 1}: no CUDA graph from here on, no."]
    assert trained.take_notices() == []
