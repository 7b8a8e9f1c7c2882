"""What a step computes: the loss and gradient of whole logits, without holding them."""

from __future__ import annotations

from typing import Any

import pytest

from training.config import Lora, Steps
from training.corpus import Corpus
from training.examples import Row, read_examples, rows_of

pytestmark = pytest.mark.usefixtures("stack")


@pytest.fixture
def row(corpus: Corpus, base: Any) -> Row:
    """Two records, one of which the codes of the base stand in."""
    examples = read_examples(corpus, "train", base.tokenizer(), names=(), window=512)
    coded = next(
        n for n in range(len(examples))
        if {*examples.ids[examples.bounds[n] : examples.bounds[n + 1]]} & {*base.new_rows}
    )  # fmt: skip
    return next(iter(rows_of(examples, [coded, 0 if coded else 1], 1024)))


def llama(stack: Any, base: Any, **config: Any) -> Any:
    """A model as large as the vocabulary of the base."""
    import transformers

    kind = transformers.Gemma2Config if "final_logit_softcapping" in config else None
    size = {"vocab_size": base.about["vocabulary"], "hidden_size": 32, "intermediate_size": 64}
    more = {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
    stack.manual_seed(0)
    told = (kind or transformers.LlamaConfig)(**size, **more, **config)
    return transformers.AutoModelForCausalLM.from_config(told).eval()


def gradients(model: Any) -> dict[str, Any]:
    """The gradients of all that trains, which are then forgotten."""
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}
    model.zero_grad()
    return found


@pytest.mark.parametrize(
    "config",
    [
        {"tie_word_embeddings": True},
        {"tie_word_embeddings": False},
        {"final_logit_softcapping": 0.5, "head_dim": 16},  # a model that does more than its head
    ],
)
def test_the_loss_in_parts_is_that_of_whole_logits(
    config: Any, stack: Any, base: Any, row: Row, monkeypatch: pytest.MonkeyPatch
):
    from training import adapter, network

    monkeypatch.setattr(network, "_LOGITS", 7 * base.about["vocabulary"])  # seven places at once
    made = network.Network(Steps(threads=1))
    model = llama(stack, base, **config)
    made.train(adapter.wear(model, adapter.lora_config(base, model, Lora(r=2))))
    largest = []
    cross_entropy = stack.nn.functional.cross_entropy

    def watched(logits: Any, *rest: Any, **how: Any) -> Any:
        largest.append(len(logits))
        return cross_entropy(logits, *rest, **how)

    monkeypatch.setattr(stack.nn.functional, "cross_entropy", watched)
    told = made._loss(row, 0.5)
    found = gradients(made.model)
    assert max(largest) == 7
    assert sum(largest) == len(row.targets)
    ids, positions = (stack.tensor(x, dtype=stack.long)[None] for x in (row.ids, row.positions))
    logits = made.model(input_ids=ids, position_ids=positions, use_cache=False).logits[0]
    labels = stack.tensor(row.labels, dtype=stack.long)
    whole = cross_entropy(logits[row.targets], labels, reduction="sum")
    (whole * 0.5).backward()
    assert told == pytest.approx(whole.item(), rel=1e-5)
    for name, gradient in gradients(made.model).items():
        assert stack.allclose(found[name], gradient, rtol=1e-3, atol=1e-5), name


@pytest.mark.parametrize("tied", [True, False])
def test_new_rows_are_computed_as_peft_does_and_no_table_is_copied(
    tied: bool, stack: Any, base: Any, row: Row, monkeypatch: pytest.MonkeyPatch
):
    import peft.tuners.trainable_tokens.layer as peft_layer

    from training import adapter
    from training.rows import beside

    def computed(rows_apart: Any) -> tuple[Any, dict[str, Any]]:
        monkeypatch.setattr(adapter, "beside", rows_apart)
        model = llama(stack, base, tie_word_embeddings=tied)
        config = adapter.lora_config(base, model, Lora(r=2))
        stack.manual_seed(1)
        worn = adapter.wear(model, config)
        for name, part in adapter.trainable(worn):
            if "token" in name:
                part.data += 0.3  # as if it had been trained
        logits = worn(input_ids=stack.tensor(row.ids, dtype=stack.long)[None]).logits[0]
        logits.logsumexp(-1).sum().backward()
        return logits.detach(), gradients(worn)

    logits, found = computed(lambda model: model)
    with monkeypatch.context() as no_copy:
        no_copy.delattr(peft_layer.TrainableTokensLayer, "get_merged_weights")
        same, again = computed(beside)
    assert stack.allclose(logits, same, atol=1e-5)
    assert sum("token" in name for name in found) == (1 if tied else 2)
    for name, gradient in found.items():
        assert stack.allclose(gradient, again[name], rtol=1e-3, atol=1e-4), name


def test_the_bias_of_a_head_is_kept_beside_new_rows(stack: Any, base: Any, row: Row):
    from training import adapter

    model = llama(stack, base, tie_word_embeddings=False)
    model.lm_head.bias = stack.nn.Parameter(stack.randn(len(model.lm_head.weight)))
    ids = stack.tensor(row.ids, dtype=stack.long)[None]
    with stack.inference_mode():
        bare = model(input_ids=ids).logits
        worn = adapter.wear(model, adapter.lora_config(base, model, Lora(r=2)))
        assert stack.allclose(worn(input_ids=ids).logits, bare, atol=1e-5)
        for name, part in adapter.trainable(worn):
            part.data += 0.3 if "token" in name else 0.0  # as if it had been trained
        said = worn(input_ids=ids).logits
        merged = worn.merge_and_unload()
        assert stack.allclose(merged(input_ids=ids).logits, said, atol=1e-4)


def test_a_base_of_the_kind_of_gpt_2_wears_a_mask_and_learns(base: Any, row: Row):
    import transformers

    from training import adapter
    from training.network import Network

    size = {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": base.about["vocabulary"]}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**size)).eval()
    made = Network(Steps(threads=1, rate=0.01))
    lora = adapter.lora_config(base, model, Lora(r=2, modules=("c_attn", "c_proj")))
    made.train(adapter.wear(model, lora))
    first, *_, last = (made.step([row], 0.01, seed) for seed in range(6))
    assert last < first
