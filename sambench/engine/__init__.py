"""How a run is carried out: the loop over images, its workers, its machines."""
