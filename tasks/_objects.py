"""Which annotated objects a task asks for, as far as that is known before a run."""

from collections.abc import Sequence

from sambench.errors import UserError
from sambench.interfaces import Dataset

SINGLE = "annotate single objects, or set iscrowd to 0 where that is what they are"
"""What to do for a task that has no option to count crowd regions."""


def require_objects(dataset: Dataset, ids: Sequence[str], remedy: str) -> None:
    """Refuse images that have crowd regions alone, for a task that does not count them.

    Args:
        dataset: gives the numbers, where it knows them.
        ids: the images.
        remedy: what to do, such as "give --crowd true".

    Raises:
        UserError: there is nothing but crowd regions.
    """
    objects, crowds = dataset.annotated(ids) or (1, 0)
    if not objects and crowds:
        raise UserError(
            f"all {crowds} annotations of dataset {dataset.card.name} are crowd regions (iscrowd), "
            f"which do not count, so there is nothing to score; {remedy}."
        )
