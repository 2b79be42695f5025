"""A SAM of transformers of the real classes, tiny and random."""

SIDE = 128
DECODER = {
    "hidden_size": 32, "mlp_dim": 64, "num_attention_heads": 2, "iou_head_hidden_dim": 32
}  # fmt: skip
VIT = {
    "hidden_size": 32, "output_channels": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": SIDE, "patch_size": 16, "window_size": 4, "global_attn_indexes": [1],
    "mlp_dim": 64, "num_pos_feats": 16,
}  # fmt: skip
PROMPT = {"hidden_size": 32, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4}


def config(name, **parts):
    """A config of transformers by the name of its class."""
    import transformers

    return getattr(transformers, name)(**parts)


def sam():
    """Its weights are drawn from torch's generator as it stands."""
    import transformers

    return transformers.SamModel(config(
        "SamConfig", vision_config=config("SamVisionConfig", **VIT),
        prompt_encoder_config=config("SamPromptEncoderConfig", **PROMPT),
        mask_decoder_config=config("SamMaskDecoderConfig", **DECODER),
    ))  # fmt: skip
