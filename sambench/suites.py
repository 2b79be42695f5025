"""Named sets of datasets that are evaluated together."""

SUITES: dict[str, tuple[str, ...]] = {
    "sa23": (
        "ppdls",
        "bbbc038v1",
        "doors",
        "timberseg",
        "ndd20",
        "lvis_v05",
        "streets",
        "zerowaste_f",
        "ishape",
        "ade20k",
        "ovis",
        "hypersim",
        "ndispark",
        "visor",
        "plittersdorf",
        "egohos",
        "ibd",
        "woodscape",
        "cityscapes",
        "pidray",
        "dram",
        "trashcan",
        "gtea",
    ),
}
"""Name -> datasets in the order of the paper.

sa23: the 23 of Kirillov et al., Segment Anything, ICCV 2023, table 7, whose unweighted mean is the
headline number of point prompts. SAM 2 and 3 add 14 sets of video frames (SA-37) whose readers are
not here.
"""
