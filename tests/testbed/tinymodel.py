"""Tiny models with hand-set weights, as GGUF: each gives one fixed answer, whatever the prompt or the temperature.

Attention and feed-forward outputs are zero, so the next token depends on the last one alone: the first of the chain
after any other token, else its successor in the chain. An assistant message left open at the end of the request is
therefore continued exactly where it stops.

    text   Hello from the tiny test model: 'one two ... ten'.     (20 tokens, then the end)
    long   Counting: 1 2 3 ... 2000                               (some seconds long, so that it can be cut)
    tool   a call of get_weather with {"city": "Paris"}
    loop   Hello and again Hello and again ...                    (never ends by itself)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import gguf
import numpy as np
from numpy.typing import NDArray

from testbed.bpe import CONTROL, Vocabulary, build_vocabulary
from testbed.cache import cached

Chain = Literal["text", "long", "tool", "loop"]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

TEXT = "Hello from the tiny test model: 'one two three four five six seven eight nine ten'."
LONG_COUNT = 2000
LONG = "Counting: " + " ".join(str(n) for n in range(1, LONG_COUNT + 1))
TOOL_CALL = ('{"name": "get_weather", ', '"arguments": {', '"city": ', '"Par', 'is"', "}}")
LOOP = "Hello and again"

_PIECES: dict[Chain, Sequence[str]] = {
    "text": ["Hello", " from", " the", " tiny", " test", " model", ":", " '", "one", " two", " three", " four", " five",
             " six", " seven", " eight", " nine", " ten", "'."],
    "long": ["Counting", ":", *(f" {n}" for n in range(1, LONG_COUNT + 1))],
    "tool": ["<tool_call>", *TOOL_CALL, "</tool_call>"],
    "loop": ["Hello", " and", " again"],
}  # fmt: skip

_HIDDEN, _FEED_FORWARD, _LAYERS, _HEADS, _KV_HEADS = 128, 256, 2, 4, 2
_TEMPLATE = (Path(__file__).parent / "chat_template.jinja").read_text()
_REVISION = "3"  # raise it when the weights or the tokenizer change


@dataclass(frozen=True, slots=True)
class TinyModel:
    """One model: its answer `chain`, a vocabulary padded to `vocab` tokens, and a context of `ctx` tokens."""

    chain: Chain = "text"
    ctx: int = 8192
    vocab: int = 1024

    @property
    def answer(self) -> str:
        """The whole answer, as clients see it in text (for `loop`: one round of it)."""
        return "".join(_PIECES[self.chain])

    def path(self) -> Path:
        """The GGUF file, written on the first call and cached; some 2 MB (5 MB for `long`)."""
        key = [_REVISION, repr(self), _TEMPLATE, repr(_PIECES[self.chain])]
        folder = cached(f"model-{self.chain}", key, lambda out: self._write(out / "model.gguf"))
        return folder / "model.gguf"

    def _write(self, file: Path) -> None:
        special = _PIECES["tool"]
        pieces = dict.fromkeys([*_PIECES[self.chain], *_PIECES["text"]])  # the latter so that none is without merges
        vocabulary = build_vocabulary([piece for piece in pieces if piece not in special], special, self.vocab)
        chain = [vocabulary.ids[piece] for piece in _PIECES[self.chain]]
        after = chain[0] if self.chain == "loop" else vocabulary.ids["<|im_end|>"]
        embeddings, output = chain_weights(len(vocabulary.tokens), chain, after)
        writer = gguf.GGUFWriter(file, "llama")
        _add_shape(writer, self.ctx, len(vocabulary.tokens))
        _add_tokenizer(writer, vocabulary)
        for name, tensor in _tensors(embeddings, output):
            writer.add_tensor(name, tensor)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def chain_weights(vocab: int, chain: Sequence[int], after: int) -> tuple[Floats, Floats]:
    """Input embeddings and output matrix, both (vocab, hidden), that make each chain token call up its successor.

    Every token off the chain shares one strong direction, which calls up the chain's first token.
    """
    rng = np.random.default_rng(0)
    direction = rng.standard_normal(_HIDDEN)
    direction /= np.linalg.norm(direction)
    embeddings = rng.standard_normal((vocab, _HIDDEN))
    embeddings -= np.outer(embeddings @ direction, direction)
    embeddings *= np.sqrt(_HIDDEN) / np.linalg.norm(embeddings, axis=1, keepdims=True)
    on_chain = np.zeros(vocab, dtype=bool)
    on_chain[list(chain)] = True
    embeddings[~on_chain] = 0.3 * embeddings[~on_chain] + direction * 10.5
    output = np.zeros_like(embeddings)
    output[[*chain[1:], after]] += embeddings[list(chain)]
    output[chain[0]] += direction * np.sqrt(_HIDDEN)
    _check_margin(embeddings, output, chain, after)
    return embeddings.astype(np.float32), output.astype(np.float32)


def _check_margin(embeddings: Doubles, output: Doubles, chain: Sequence[int], after: int) -> None:
    scale = np.sqrt((embeddings**2).mean(axis=1, keepdims=True))
    logits = (embeddings / scale) @ output.T
    wanted = np.full(len(embeddings), chain[0])
    wanted[list(chain)] = [*chain[1:], after]
    rows = np.arange(len(embeddings))
    best = logits[rows, wanted].copy()
    logits[rows, wanted] = -np.inf
    margin = float((best - logits.max(axis=1)).min())
    if margin < 20:  # e**-20: no temperature in use picks another token
        raise ValueError(f"the chain is too long for {_HIDDEN} dimensions: smallest margin {margin:.1f} logits")


def _add_shape(writer: gguf.GGUFWriter, ctx: int, vocab: int) -> None:
    writer.add_name("tiny")
    writer.add_context_length(ctx)
    writer.add_embedding_length(_HIDDEN)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_HIDDEN // _HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(vocab)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _add_tokenizer(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(list(vocabulary.tokens))
    writer.add_token_types(list(vocabulary.types))
    writer.add_token_merges(list(vocabulary.merges))
    writer.add_bos_token_id(CONTROL.index("<s>"))
    writer.add_eos_token_id(CONTROL.index("<|im_end|>"))
    writer.add_pad_token_id(CONTROL.index("<pad>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(_TEMPLATE)


def _tensors(embeddings: Floats, output: Floats) -> Iterable[tuple[str, Floats]]:
    ones = np.ones(_HIDDEN, dtype=np.float32)
    yield "token_embd.weight", embeddings
    yield "output.weight", output
    yield "output_norm.weight", ones
    key_value = _HIDDEN * _KV_HEADS // _HEADS
    shapes = {
        "attn_q": (_HIDDEN, _HIDDEN), "attn_k": (key_value, _HIDDEN), "attn_v": (key_value, _HIDDEN),
        "attn_output": (_HIDDEN, _HIDDEN), "ffn_gate": (_FEED_FORWARD, _HIDDEN), "ffn_up": (_FEED_FORWARD, _HIDDEN),
        "ffn_down": (_HIDDEN, _FEED_FORWARD),
    }  # fmt: skip
    for layer in range(_LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{norm}.weight", ones
        for name, shape in shapes.items():
            yield f"blk.{layer}.{name}.weight", np.zeros(shape, dtype=np.float32)


CHAINS: tuple[Chain, ...] = get_args(Chain)
