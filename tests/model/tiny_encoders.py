"""Encoders of texts of the real classes, tiny and random, as `save_pretrained` writes them."""

import json

import torch


def tiny_clip(folder, layers=2):
    """CLIP of 32 x 32 pixels, patches of 8 and embeddings of 8 numbers; its tokenizer spells."""
    import transformers

    small = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": layers,
        "num_attention_heads": 2, "projection_dim": 8,
    }  # fmt: skip
    text = {**small, "vocab_size": 60, "eos_token_id": 1, "bos_token_id": 0, "pad_token_id": 1}
    vision = {**small, "image_size": 32, "patch_size": 8}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    letters = {"<|startoftext|>": 0, "<|endoftext|>": 1}
    for letter in "abcdefghijklmnopqrstuvwxyz":
        letters |= {letter: len(letters), f"{letter}</w>": len(letters) + 1}
    (folder / "vocab.json").write_text(json.dumps(letters))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder)
    return folder


def tiny_bert(folder, seed=0):
    """A BERT of 16 channels, as a sentence encoder has it; its tokenizer spells."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    letters = [
        f"{start}{letter}" for letter in "abcdefghijklmnopqrstuvwxyz" for start in ("", "##")
    ]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32,
    )  # fmt: skip
    torch.manual_seed(seed)
    transformers.BertModel(config).save_pretrained(folder)
    vocabulary = {word: number for number, word in enumerate(words)}
    transformers.BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    return folder
