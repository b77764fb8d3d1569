from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

import aimc
from aimc import cards, nn
from aimc.errors import ArgumentError, DataError
from aimc.nn import checkpoint
from aimc.tasks import KeywordSpotting, speech_commands, training


@pytest.fixture
def task(corpus, monkeypatch):
    monkeypatch.setattr(speech_commands, "load", lambda folder: corpus)
    return KeywordSpotting("tones")


@pytest.fixture
def trained(task):
    return task.train(task.model("lstm", hidden=16), epochs=12)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_model_is_plain_torch_and_gives_twelve_scores(task, kind):
    model = task.model(kind, hidden=8)
    assert (
        type(model.recurrent)
        is {
            "lstm": torch.nn.LSTM,
            "gru": torch.nn.GRU,
            "rnn": torch.nn.RNN,
        }[kind]
    )
    assert type(model.readout) is torch.nn.Linear
    assert model(task.features("test")[:5]).shape == (5, 12)


def test_training_learns_and_leaves_the_model_as_it_was(task):
    model = task.model("lstm", hidden=16)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trained = task.train(model, epochs=25)
    assert task.accuracy(trained) > task.accuracy(model) + 0.3
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_seed_gives_the_same_model(task):
    one, two, other = (
        task.train(task.model("gru", hidden=4), seed=seed, epochs=2).state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_random_numbers_of_the_caller_stay_untouched(task):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    task.train(task.model("rnn", hidden=4), epochs=1, weight_noise=0.1)
    assert torch.equal(torch.rand(3), expected)


def test_lessons_depend_on_the_seed_and_the_step_alone(task):
    """A step asked for first, last or again gives the same clips."""
    model = task.model("rnn", hidden=4)
    course = task.course(model, 3)
    assert task.course(model, 3) is course
    late = course.batch(5 * course.steps)
    other = KeywordSpotting("tones").course(model, 3)
    assert all(map(torch.equal, late, other.batch(5 * course.steps)))
    assert not torch.equal(late[0], course.batch(0)[0])
    assert not torch.equal(late[0], task.course(model, 4).batch(5 * course.steps)[0])
    assert float(late[0].abs().max()) <= 1.0


def test_adapted_model_says_what_for_and_beats_the_plain_one_on_coarse_chips(task, trained):
    hardware = aimc.load("taox-1t1r-128").replace(bits=2)
    recipe = replace(training.AWARE, epochs=30, rate=0.02)
    adapted = task.adapt(trained, hardware, recipe=recipe)
    assert adapted.info["hardware"] == cards.digest(hardware)
    assert adapted.info["bits"] == 2
    assert adapted.info["started from"] == trained.info
    plain, aware = (
        np.mean(
            [task.accuracy(nn.program(m, hardware, np.random.default_rng(s))) for s in range(12)]
        )
        for m in (trained, adapted)
    )
    assert aware > plain


def test_an_epoch_hears_every_class_equally_often(task):
    noise = [torch.rand(40000) - 0.5]
    features, labels = training.draw(task.split("train"), noise, 5, torch.Generator())
    assert torch.bincount(labels).tolist() == [5] * 12
    assert features.shape == (60, 51, 40)


def test_accuracy_is_the_diagonal_of_the_confusion_matrix(task, trained):
    confusion = task.confusion(trained)
    assert confusion.shape == (12, 12)
    np.testing.assert_array_equal(confusion.sum(1), np.bincount(task.split("test").labels))
    assert np.trace(confusion) / confusion.sum() == pytest.approx(task.accuracy(trained))
    assert task.accuracy(
        lambda x: torch.eye(12)[torch.zeros(len(x), dtype=torch.long)]
    ) == pytest.approx(4 / len(task.labels()))


def test_a_tie_counts_its_fair_share(task):
    """k equal scores, the right one among them, are a k-th of a clip: order does not matter."""
    labels = task.labels()

    def tied(k):
        def scores(x):
            assert len(x) == len(labels)
            return torch.stack([torch.roll(torch.arange(12) < k, int(c)) for c in labels]).float()

        return scores

    for k in (1, 2, 3, 12):
        assert task.accuracy(tied(k)) == pytest.approx(1 / k)
        confusion = task.confusion(tied(k))
        np.testing.assert_allclose(confusion.sum(1), np.bincount(labels))
        np.testing.assert_allclose(np.diag(confusion), np.bincount(labels) / k)
    assert task.accuracy(lambda x: torch.full((len(x), 12), torch.nan)) == 0


def test_a_class_without_training_clips_is_named(corpus, monkeypatch):
    train = corpus.splits["train"]
    kept = train.labels != 3
    corpus.splits["train"] = replace(
        train, waves=train.waves[kept], labels=train.labels[kept], speakers=("",) * int(kept.sum())
    )
    monkeypatch.setattr(speech_commands, "load", lambda folder: corpus)
    task = KeywordSpotting("tones")
    with pytest.raises(DataError, match="clips of every class, but has none of down"):
        task.train(task.model("rnn", hidden=4), epochs=1)
    assert 0 <= task.accuracy(task.model("rnn", hidden=4)) <= 1


def test_other_clips_have_another_digest(corpus):
    before = corpus.digest
    waves = corpus.splits["test"].waves.copy()
    waves[0, 0] += 1
    splits = {**corpus.splits, "test": replace(corpus.splits["test"], waves=waves)}
    assert replace(corpus).digest == before != replace(corpus, splits=splits).digest


def test_checkpoint_gives_the_same_model_back(task, trained, tmp_path):
    path = tmp_path / "new" / "model.safetensors"
    task.save(trained, path, purpose="test")
    again = KeywordSpotting.load(path)
    x = task.features("test")
    assert torch.equal(trained.eval()(x), again(x))
    assert (again.kind, again.hidden) == ("lstm", 16)
    assert again.info["data"] == task.label
    assert again.info["seed"] == 0
    assert again.info["purpose"] == "test"
    assert again.recurrent.aimc_ranges == trained.recurrent.aimc_ranges
    assert again.readout.aimc_ranges == trained.readout.aimc_ranges != {}
    assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("content", [None, b"", b"not a checkpoint", "other"])
def test_bad_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "model.safetensors"
    if content == "other":
        safetensors.torch.save_file({"w": torch.zeros(2)}, path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"model\.safetensors must be a checkpoint"):
        KeywordSpotting.load(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_checkpoint_with_a_weight_that_is_no_number_is_named(task, tmp_path, value):
    path = tmp_path / "model.safetensors"
    model = task.model("gru", 4)
    model.readout.weight.data[0, 0] = value
    task.save(model, path)
    with pytest.raises(DataError, match=r"readout\.weight is not finite"):
        KeywordSpotting.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, a: t.update({"readout.bias": t["readout.bias"].to(torch.int8)}),
         r"readout\.bias is torch\.int8 \(12,\), not torch\.float32 \(12,\)"),
        (lambda t, a: t.update({"readout.bias": t["readout.bias"].half()}), "float16"),
        (lambda t, a: t["normalise.std"].zero_(), "`std` must be above 0, but reaches 0"),
        (lambda t, a: a.update(ranges='{"readout": {"x": 0}}'), "'x'.* must be greater than 0"),
        (lambda t, a: a.update(ranges='{"readout": 3}'), "`aimc_ranges` must be a dict"),
        (lambda t, a: a.update(ranges='{"nowhere": {"x": 1}}'), "nowhere"),
    ],
)  # fmt: skip
def test_checkpoint_of_other_content_is_named(task, tmp_path, change, message):
    """Whole numbers were cast as they stood: weights without their scale."""
    path = tmp_path / "model.safetensors"
    task.save(task.model("gru", 4), path)
    tensors, about = checkpoint.read(path)
    change(tensors, about)
    checkpoint.write(path, tensors, about)
    with pytest.raises(DataError, match=rf"model\.safetensors must be .*{message}"):
        KeywordSpotting.load(path)


def test_checkpoint_whose_info_is_no_dict_is_named(task, tmp_path):
    path = tmp_path / "model.safetensors"
    model = task.model("gru", 4)
    task.save(model, path)
    tensors, about = checkpoint.read(path)
    checkpoint.write(path, tensors, {**about, "info": '["test"]'})
    with pytest.raises(DataError, match=r"info is \['test'\], not a dict"):
        KeywordSpotting.load(path)


def test_bad_arguments(task):
    model = task.model(hidden=4)
    with pytest.raises(ArgumentError, match="`kind` must be one of lstm, gru, rnn, but is 'cnn'"):
        task.model("cnn")
    with pytest.raises(ArgumentError, match="`hidden` must be at least 1, but is 0"):
        task.model(hidden=0)
    with pytest.raises(ArgumentError, match="`split` must be one of train, validation, test"):
        task.accuracy(model, "dev")
    with pytest.raises(ArgumentError, match="`epochs` must be at least 1"):
        task.train(model, epochs=0)
    with pytest.raises(ArgumentError, match="`weight_noise` must be at least 0"):
        task.train(model, weight_noise=-1)
