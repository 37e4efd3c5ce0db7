"""Writes a llama model of random weights (some 200 kB) that a llama.cpp server loads in milliseconds.

Its words mean nothing, but the same request with the same seed gives the same answer.
"""

from __future__ import annotations

from pathlib import Path

WIDTH, HIDDEN, LAYERS, HEADS, CONTEXT = 32, 64, 2, 4, 4096
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
UNKNOWN, CONTROL, NORMAL, BYTE = 2, 3, 1, 6


def write_model(path: Path) -> Path:
    """Write the model file and return its path."""
    import gguf
    import numpy

    random = numpy.random.default_rng(7)
    tokens, kinds, scores = _vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)

    def weights(name: str, *shape: int) -> None:
        writer.add_tensor(name, (random.standard_normal(shape) * 0.3).astype(numpy.float32))

    def ones(name: str) -> None:
        writer.add_tensor(name, numpy.ones(WIDTH, dtype=numpy.float32))

    weights("token_embd.weight", len(tokens), WIDTH)
    ones("output_norm.weight")
    weights("output.weight", len(tokens), WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        ones(f"{block}.attn_norm.weight")
        ones(f"{block}.ffn_norm.weight")
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weights(f"{block}.{part}.weight", WIDTH, WIDTH)
        weights(f"{block}.ffn_gate.weight", HIDDEN, WIDTH)
        weights(f"{block}.ffn_up.weight", HIDDEN, WIDTH)
        weights(f"{block}.ffn_down.weight", WIDTH, HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _vocabulary() -> tuple[list[bytes], list[int], list[float]]:
    """Three special tokens, the 256 bytes, and printable ASCII with a few syllables."""
    tokens = [b"<unk>", b"<s>", b"</s>"]
    kinds = [UNKNOWN, CONTROL, CONTROL]
    scores = [0.0, 0.0, 0.0]
    for byte in range(256):
        tokens.append(f"<0x{byte:02X}>".encode())
        kinds.append(BYTE)
        scores.append(0.0)
    words = ["▁", *(chr(point) for point in range(33, 127)), "▁the", "▁and", "ing", "er", "▁a", "on"]
    for rank, word in enumerate(words):
        tokens.append(word.encode())
        kinds.append(NORMAL)
        scores.append(-float(rank))
    return tokens, kinds, scores
