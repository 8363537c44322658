"""The tiny models as vLLM reads them: safetensors, a tokenizer, a template. The same weights as the GGUF's."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from testbed import tinymodel
from testbed.bpe import CONTROL, Vocabulary, build_vocabulary
from testbed.cache import cached
from testbed.tinymodel import Chain, Floats, TinyModel

_REVISION = "1"  # raise it when what is written here changes
_HIDDEN, _FEED_FORWARD, _LAYERS, _HEADS, _KV_HEADS = 128, 256, 2, 4, 2


def checkpoint(chain: Chain, ctx: int = 8192) -> Path:
    """The folder of a model with that answer, written on the first call and cached."""
    model = TinyModel(chain, ctx=ctx)
    key = [_REVISION, tinymodel._REVISION, repr(model), tinymodel._TEMPLATE, repr(tinymodel._PIECES[chain])]
    return cached(f"checkpoint-{chain}", key, lambda folder: _write(folder, model))


def _write(folder: Path, model: TinyModel) -> None:
    wanted, special = tinymodel._PIECES[model.chain], tinymodel._PIECES["tool"]
    pieces = dict.fromkeys([*wanted, *tinymodel._PIECES["text"]])
    vocabulary = build_vocabulary([piece for piece in pieces if piece not in special], special, model.vocab)
    chain = [vocabulary.ids[piece] for piece in wanted]
    after = chain[0] if model.chain == "loop" else vocabulary.ids["<|im_end|>"]
    documents = {
        "config": _config(len(vocabulary.tokens), model.ctx),
        "generation_config": {"bos_token_id": 1, "eos_token_id": [4, 2], "pad_token_id": 0},
        "tokenizer": _tokenizer(vocabulary, (*CONTROL, *special)),
        "tokenizer_config": _tokenizer_config(model.ctx),
    }
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document))
    weights = tinymodel.chain_weights(len(vocabulary.tokens), chain, after)
    (folder / "model.safetensors").write_bytes(_safetensors(_tensors(*weights)))


def _config(vocab: int, ctx: int) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "dtype": "float32",
        "hidden_size": _HIDDEN, "intermediate_size": _FEED_FORWARD, "num_hidden_layers": _LAYERS,
        "num_attention_heads": _HEADS, "num_key_value_heads": _KV_HEADS, "head_dim": _HIDDEN // _HEADS,
        "max_position_embeddings": ctx, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "vocab_size": vocab,
        "bos_token_id": 1, "eos_token_id": 4, "pad_token_id": 0, "tie_word_embeddings": False,
    }  # fmt: skip


def _tokenizer(vocabulary: Vocabulary, added: tuple[str, ...]) -> dict[str, Any]:
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    bpe = {"type": "BPE", "vocab": {token: number for number, token in enumerate(vocabulary.tokens)}}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": number, "content": token, "special": token in CONTROL, **plain} for number, token in enumerate(added)
        ],
        "pre_tokenizer": level,
        "decoder": level,
        "model": bpe | {"merges": [merge.split(" ") for merge in vocabulary.merges]},
    }


def _tokenizer_config(ctx: int) -> dict[str, Any]:
    named = {"bos_token": "<s>", "eos_token": "<|im_end|>", "pad_token": "<pad>"}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": ctx, "chat_template": tinymodel._TEMPLATE,
        "clean_up_tokenization_spaces": False, **named,
    }  # fmt: skip


def _tensors(embeddings: Floats, output: Floats) -> dict[str, Floats]:
    ones, key_value = np.ones(_HIDDEN, np.float32), _HIDDEN * _KV_HEADS // _HEADS
    tensors = {"model.embed_tokens.weight": embeddings, "lm_head.weight": output, "model.norm.weight": ones}
    shapes = {
        "self_attn.q_proj": (_HIDDEN, _HIDDEN), "self_attn.k_proj": (key_value, _HIDDEN),
        "self_attn.v_proj": (key_value, _HIDDEN), "self_attn.o_proj": (_HIDDEN, _HIDDEN),
        "mlp.gate_proj": (_FEED_FORWARD, _HIDDEN), "mlp.up_proj": (_FEED_FORWARD, _HIDDEN),
        "mlp.down_proj": (_HIDDEN, _FEED_FORWARD),
    }  # fmt: skip
    for layer in range(_LAYERS):
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"model.layers.{layer}.{norm}.weight"] = ones
        for name, shape in shapes.items():
            tensors[f"model.layers.{layer}.{name}.weight"] = np.zeros(shape, np.float32)
    return tensors


def _safetensors(tensors: dict[str, Floats]) -> bytes:
    """An 8-byte length, a JSON header with each tensor's place, the tensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    blobs, offset = [], 0
    for name, tensor in tensors.items():
        blobs.append(np.ascontiguousarray(tensor).tobytes())
        place = [offset, offset := offset + len(blobs[-1])]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": place}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(blobs)
