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


def sam2_vision(width):
    """Config of SAM 2's encoder with so many channels."""
    backbone = config(
        "Sam2HieraDetConfig", hidden_size=8, num_attention_heads=1, image_size=[SIDE, SIDE],
        blocks_per_stage=[1, 1, 2, 1], embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2], window_size_per_stage=[8, 4, 4, 4],
        global_attention_blocks=[3],
    )  # fmt: skip
    return config(
        "Sam2VisionConfig", backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]], fpn_hidden_size=width,
    )  # fmt: skip
